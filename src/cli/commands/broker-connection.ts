/** How a broker comes to be linked again. */
import type { Command } from 'commander';
import type { ConnectionDto } from '../../hub/registry/dto/connection.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples } from '../options.js';

export function addBrokerConnection(group: Command, cli: Cli): void {
  asksHub(group.command('connection'))
    .description('say how a broker comes to be linked again, in commands without any secret')
    .argument('<broker>', 'id or name')
    .addHelpText('after', examples('brokers connection build-1'))
    .action(
      cli.action<object, [string]>(async (run, broker) => {
        const hub = await run.hub();
        const path = `/brokers/${encodeURIComponent(broker)}/connection`;
        const found = await run.spin('asking the hub', () => hub.ask<ConnectionDto>({ method: 'GET', path }));
        run.printer.data(found, () => told(found));
      }),
    );
}

function told({ start, replace }: ConnectionDto): string[] {
  const beginning =
    start === null
      ? ['It was revoked, and is admitted nowhere. Another broker takes its name:']
      : [
          'On its machine, where its folder still is:',
          '',
          `  ${start}`,
          '',
          'Where that is lost, another broker takes its name:',
        ];
  return [
    ...beginning,
    '',
    ...replace.map((line) => `  ${line}`),
    '',
    `The last two on the machine of the broker, with the join token in FAIRLEAD_JOIN_TOKEN.`,
  ];
}
