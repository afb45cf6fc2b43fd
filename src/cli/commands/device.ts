/** Programs that ask to come in by a code, which somebody who is signed in approves. */
import type { Command } from 'commander';
import type { DeviceGrantDto } from '../../hub/auth/dto/device-grant.dto.js';
import type { Cli } from '../cli.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples } from '../options.js';
import { away } from '../output/age.js';
import { printable } from '../output/printable.js';
import { facts } from '../output/table.js';

export function addDevice(program: Command, cli: Cli): void {
  const group = program
    .command('device')
    .description('programs that ask to come in by a code: `fairlead login` on another machine')
    .addHelpText('after', examples('device show WDJB-MJHT', 'device approve WDJB-MJHT'));

  asksHub(group.command('show'))
    .description('who asks by a code')
    .argument('<code>', 'as it is shown there')
    .addHelpText('after', examples('device show WDJB-MJHT'))
    .action(
      cli.action<object, [string]>(async (run, code) => {
        const [grant, nowMs] = await ask(run, 'find', code);
        run.printer.data(grant, () =>
          facts(
            [
              ['name', grant.name],
              ['from', grant.address],
              ['ends', away(grant.expiresAt, nowMs)],
            ],
            run.printer.paint,
          ),
        );
      }),
    );

  const verbs = [
    [
      'approve',
      'let a program in that shows a code: it may do all that you may, until you revoke its token',
      'Let in',
    ],
    ['deny', 'turn a program away that shows a code', 'Turned away'],
  ] as const;
  for (const [verb, description, done] of verbs) {
    asksHub(group.command(verb))
      .description(description)
      .argument('<code>', 'as it is shown there')
      .addHelpText('after', examples(`device ${verb} WDJB-MJHT`))
      .action(
        cli.action<object, [string]>(async (run, code) => {
          const [grant] = await ask(run, verb, code);
          run.printer.data(grant, () => [
            `${done}: ${printable(grant.name)}, from ${printable(grant.address)}.`,
          ]);
        }),
      );
  }
}

async function ask(
  run: Invocation<object>,
  verb: string,
  userCode: string,
): Promise<[DeviceGrantDto, number]> {
  const hub = await run.hub();
  // An answer that is lost is given again where it was not stored: the second time nobody asks any more.
  const repeat = verb === 'find' ? 'harmless' : 'harmful';
  const grant = await run.spin('asking the hub', () =>
    hub.ask<DeviceGrantDto>({ method: 'POST', path: `/device-grants/${verb}`, body: { userCode }, repeat }),
  );
  return [grant, hub.hubNowMs];
}
