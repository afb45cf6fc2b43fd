/** The keys by which the hub signs what it gives to brokers and people. */
import type { Command } from 'commander';
import type { SigningKeyDto, SigningKeysDto } from '../../hub/auth/dto/signing-key.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples } from '../options.js';
import { age } from '../output/age.js';
import { table } from '../output/table.js';

const PATH = '/signing-keys';

export function addKeys(hub: Command, cli: Cli): void {
  const group = hub
    .command('keys')
    .description('the keys that sign the tokens of brokers and people')
    .addHelpText('after', examples('hub keys list', 'hub keys rotate'));

  asksHub(group.command('list'))
    .description('list the keys whose tokens are taken, newest first')
    .addHelpText('after', examples('hub keys list'))
    .action(
      cli.action<object>(async (run) => {
        const asked = await run.hub();
        const keys = await asked.ask<SigningKeysDto>({ method: 'GET', path: PATH });
        const nowMs = asked.hubNowMs;
        const columns = [
          { title: 'ID', of: ({ id }: SigningKeyDto) => id },
          {
            title: 'STATE',
            of: ({ retiredAt }: SigningKeyDto) => (retiredAt === null ? 'signs' : 'retired'),
          },
          { title: 'AGE', of: ({ createdAt }: SigningKeyDto) => age(createdAt, nowMs) },
        ];
        run.printer.data(keys, () => table(keys.items, columns, run.printer.paint));
      }),
    );

  asksHub(group.command('rotate'))
    .description('make the key that signs from now on; tokens of the one before are taken until they end')
    .addHelpText('after', examples('hub keys rotate'))
    .action(
      cli.action<object>(async (run) => {
        const asked = await run.hub();
        const made = await asked.ask<SigningKeyDto>({ method: 'POST', path: `${PATH}/rotate`, body: {} });
        run.printer.data(made, () => [`${made.id} signs from now on.`]);
      }),
    );
}
