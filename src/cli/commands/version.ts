import type { Command } from 'commander';
import type { ReplicaPageDto } from '../../hub/drain/dto/replica.dto.js';
import { ONCE } from '../api/retry.js';
import type { Cli } from '../cli.js';
import { Fault } from '../fault.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples } from '../options.js';
import { SOFTWARE } from '../software.js';

export function addVersion(program: Command, cli: Cli): void {
  asksHub(program.command('version'))
    .description('the version of this command, and of the hub where one is known')
    .addHelpText('after', examples('version', 'version --json'))
    .action(
      cli.action(async (run) => {
        const hub = await softwareOfHub(run);
        run.printer.data({ cli: SOFTWARE, hub }, () => [
          `fairlead ${SOFTWARE}`,
          ...(hub === null ? [] : [`hub ${hub.join(', ')}`]),
        ]);
        const others = hub?.filter((version) => version !== SOFTWARE) ?? [];
        if (others.length > 0)
          run.printer.warn(`this command is ${SOFTWARE}, and the hub runs ${others.join(', ')}`);
      }),
    );
}

/** The versions of the replicas that live; null where no hub is known or it does not tell, which is no failure here. */
async function softwareOfHub(run: Invocation<object>): Promise<string[] | null> {
  try {
    const hub = await run.hub();
    const ask = { method: 'GET', path: '/replicas', patience: ONCE } as const;
    const { items } = await run.spin('asking the hub', () => hub.ask<ReplicaPageDto>(ask));
    return [...new Set(items.filter(({ state }) => state !== 'gone').map(({ software }) => software))].sort();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.document.code !== 'not_logged_in')
      run.printer.note(`The hub's version is not known: ${error.message}`);
    return null;
  }
}
