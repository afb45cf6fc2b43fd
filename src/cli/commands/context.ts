/** Several hubs, each under a name of one's own. */
import type { Command } from 'commander';
import {
  checkedContext,
  contextPath,
  currentContext,
  DEFAULT_CONTEXT,
  listContexts,
  useContext,
} from '../api/contexts.js';
import { loadCredentials } from '../api/credentials.js';
import type { Cli } from '../cli.js';
import { UsageFault } from '../fault.js';
import { examples } from '../options.js';
import { table } from '../output/table.js';
import { logIn, loginOptions, logOut, type LoginOptions } from './login.js';

type Row = { name: string; url: string | null; isCurrent: boolean };

export function addContext(program: Command, cli: Cli): void {
  const group = program
    .command('context')
    .description('several hubs, each under a name; FAIRLEAD_CONTEXT names one for a single command')
    .addHelpText('after', examples('context add staging https://staging.example.com', 'context use staging'));

  group
    .command('list')
    .description('the hubs that you have logged in to, and which of them commands talk to')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('context list'))
    .action(
      cli.action(async (run) => {
        const { env } = run.surroundings;
        const current = await currentContext(env);
        const rows: Row[] = [];
        for (const name of await listContexts(env)) {
          // A damaged file is shown, so that it can be removed.
          const stored = await loadCredentials(contextPath(env, name)).catch(() => ({ url: null }));
          if (stored !== undefined) rows.push({ name, url: stored.url, isCurrent: name === current });
        }
        run.printer.data({ items: rows }, () =>
          table(
            rows,
            [
              { title: 'NAME', of: ({ name }) => name },
              { title: 'URL', of: ({ url }) => url ?? 'damaged' },
              { title: 'CURRENT', of: ({ isCurrent }) => (isCurrent ? 'yes' : '') },
            ],
            run.printer.paint,
          ),
        );
      }),
    );

  group
    .command('use')
    .description('let commands talk to this hub from now on')
    .argument('<name>', 'as the list shows it')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('context use staging', `context use ${DEFAULT_CONTEXT}`))
    .action(
      cli.action<object, [string]>(async (run, given) => {
        const { env } = run.surroundings;
        const name = checkedContext(given);
        const stored = await loadCredentials(contextPath(env, name));
        if (stored === undefined && name !== DEFAULT_CONTEXT) throw unknown(name);
        await useContext(env, name);
        run.printer.data({ name, url: stored?.url ?? null }, () => [
          stored === undefined
            ? `Using ${name}, where nobody is logged in.`
            : `Using ${name}: ${stored.url}.`,
        ]);
      }),
    );

  loginOptions(group.command('add'), 'context add staging')
    .description('log in to another hub, under a name; `context use` makes it the one that commands talk to')
    .argument('<name>', 'lower-case letters, digits and inner hyphens')
    .argument('<url>', 'the hub, or several replicas with commas between; or a link with an invite')
    .action(
      cli.action<LoginOptions, [string, string]>(async (run, name, address) => {
        await logIn(run, address, contextPath(run.surroundings.env, checkedContext(name)));
      }),
    );

  group
    .command('remove')
    .description('forget a hub; a token that the login has made is revoked, another stays valid')
    .argument('<name>', 'as the list shows it')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('context remove staging'))
    .action(
      cli.action<object, [string]>(async (run, given) => {
        const { env } = run.surroundings;
        const name = checkedContext(given);
        // What the environment names is not for us to change.
        const current = await currentContext({ ...env, FAIRLEAD_CONTEXT: undefined });
        const { forgotten } = await logOut(run, contextPath(env, name));
        if (!forgotten) throw unknown(name);
        // Of what is gone nothing is current any more.
        if (current === name) await useContext(env, DEFAULT_CONTEXT);
        run.printer.data({ name, forgotten }, () => [`Removed ${name}.`]);
      }),
    );
}

function unknown(name: string): UsageFault {
  return new UsageFault(`There is no context ${name}; see \`fairlead context list\`.`);
}
