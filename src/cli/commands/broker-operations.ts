/** What an operator does with a broker: out of service and back, off its replica, off the hub, and what it is called. */
import type { Command } from 'commander';
import type { BrokerDto } from '../../hub/registry/dto/broker.dto.js';
import type { KickDto, UpdateBrokerDto } from '../../hub/registry/dto/operation.dto.js';
import type { Ask } from '../api/client.js';
import type { Cli } from '../cli.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import { UsageFault } from '../fault.js';
import { count } from '../input/duration.js';
import { each, pair, type Pairs } from '../input/pairs.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples } from '../options.js';

const LOOK_EVERY_MS = 1_000;

const VERBS = [
  {
    verb: 'cordon',
    description: 'place no new agents on a broker; those that are there go on, and can be started',
    said: ({ name }: BrokerDto) => `${name} is given no new agents.`,
  },
  {
    verb: 'uncordon',
    description: 'put a broker back into service, whatever took it out',
    said: ({ name }: BrokerDto) => `${name} is in service.`,
  },
  {
    verb: 'revoke',
    description: 'take a broker out of the hub for ever: its link is cut, and its key is of no use any more',
    said: ({ name }: BrokerDto) => `${name} is out of the hub for ever.`,
  },
] as const;

export function addBrokerOperations(group: Command, cli: Cli): void {
  for (const { verb, description, said } of VERBS) {
    asksHub(group.command(verb))
      .description(description)
      .argument('<broker>', 'id or name')
      .addHelpText('after', examples(`brokers ${verb} build-1`))
      .action(
        cli.action<object, [string]>(async (run, broker) => {
          const changed = await ask(run, { method: 'POST', path: `${pathOf(broker)}/${verb}` });
          run.printer.data(changed, () => [said(changed)]);
        }),
      );
  }
  addDrain(group, cli);
  addKick(group, cli);
  addRename(group, cli);
  addLabel(group, cli);
}

function addDrain(group: Command, cli: Cli): void {
  asksHub(group.command('drain'))
    .description('start nothing on a broker any more, and stop the agents that run there')
    .argument('<broker>', 'id or name')
    .option('--wait <seconds>', 'how long to wait until none of them runs', count, 0)
    .addHelpText('after', examples('brokers drain build-1', 'brokers drain build-1 --wait 120'))
    .action(
      cli.action<{ wait: number }, [string]>(async (run, broker) => {
        const { clock } = run.surroundings;
        let row = await ask(run, { method: 'POST', path: `${pathOf(broker)}/drain` });
        const untilMs = clock.nowMs() + run.options.wait * 1000;
        while (row.service.state === 'draining' && clock.nowMs() < untilMs) {
          await clock.pause(LOOK_EVERY_MS);
          row = await ask(run, { method: 'GET', path: pathOf(row.id) });
        }
        return drainOutcome(run, row);
      }),
    );
}

function drainOutcome(run: Invocation<{ wait: number }>, row: BrokerDto): ExitCode {
  const { name, service } = row;
  const isOver = service.state !== 'draining';
  run.printer.data(row, () => [
    isOver
      ? `${name} is ${service.state === 'open' ? 'in service' : service.state}.`
      : `${name} is being drained: see \`fairlead brokers get ${name}\`.`,
  ]);
  return isOver || run.options.wait === 0 ? EXIT.ok : EXIT.notEnded;
}

function addKick(group: Command, cli: Cli): void {
  asksHub(group.command('kick'))
    .description("end a broker's connection, wherever it is; it connects again")
    .argument('<broker>', 'id or name')
    .option('--reason <text>', 'for the log of the broker, and its history')
    .addHelpText(
      'after',
      examples('brokers kick build-1', 'brokers kick build-1 --reason "to move it off hub-2"'),
    )
    .action(
      cli.action<{ reason?: string }, [string]>(async (run, broker) => {
        const { reason } = run.options;
        const body: KickDto = reason === undefined ? {} : { reason };
        // A repeat would end the connection that the first has led to.
        const kicked = await ask(run, {
          method: 'POST',
          path: `${pathOf(broker)}/kick`,
          body,
          repeat: 'harmful',
        });
        run.printer.data(kicked, () => [`The connection of ${kicked.name} is ended.`]);
      }),
    );
}

type Revision = { revision?: number };

function addRename(group: Command, cli: Cli): void {
  asksHub(group.command('rename'))
    .description('give a broker another name')
    .argument('<broker>', 'id or name')
    .argument('<name>', 'lower-case letters, digits and inner hyphens; that of no other broker')
    .option('--revision <n>', 'only if it is still the one that was read', count)
    .addHelpText('after', examples('brokers rename build-1 build-eu-1'))
    .action(
      cli.action<Revision, [string, string]>((run, broker, name) =>
        // The broker is not to be found under the old name once the first has arrived.
        update(run, broker, { name }, 'harmful'),
      ),
    );
}

function addLabel(group: Command, cli: Cli): void {
  asksHub(group.command('label'))
    .description('give a broker labels, or take some away; they win over what it says of itself')
    .argument('<broker>', 'id or name')
    .argument('[labels...]', 'each as name=value; those that are not named stay', pair, {})
    .option('--remove <name>', 'take away a label that was given; may be repeated', each)
    .option('--revision <n>', 'only if it is still the one that was read', count)
    .addHelpText(
      'after',
      examples('brokers label build-1 zone=eu rack=a', 'brokers label build-1 --remove rack --revision 3'),
    )
    .action(
      cli.action<Revision & { remove?: string[] }, [string, Pairs]>((run, broker, given) => {
        const { remove = [], revision } = run.options;
        const labels = { ...given, ...Object.fromEntries(remove.map((name) => [name, null])) };
        if (Object.keys(labels).length === 0) throw new UsageFault('Name a label.');
        return update(run, broker, { labels }, revision === undefined ? 'harmless' : 'harmful');
      }),
    );
}

async function update(
  run: Invocation<Revision>,
  broker: string,
  body: UpdateBrokerDto,
  repeat: NonNullable<Ask['repeat']>,
): Promise<void> {
  const { revision } = run.options;
  const changed = await ask(run, { method: 'PATCH', path: pathOf(broker), body, revision, repeat });
  const labels = Object.entries(changed.labels).map(([name, value]) => `${name}=${value}`);
  run.printer.data(changed, () => [
    `${changed.name} has revision ${changed.revision}: ${labels.join(' ') || 'no labels'}`,
  ]);
}

async function ask(run: Invocation<object>, asked: Ask): Promise<BrokerDto> {
  const hub = await run.hub();
  return run.spin('asking the hub', () => hub.ask<BrokerDto>(asked));
}

function pathOf(broker: string): string {
  return `/brokers/${encodeURIComponent(broker)}`;
}
