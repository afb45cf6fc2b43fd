/** Who is asking: storing a token for this user, forgetting it, and asking the hub whom it takes one for. */
import type { Command } from 'commander';
import type { MeDto } from '../../hub/auth/dto/me.dto.js';
import { credentialsPath, forgetCredentials, loadCredentials, storeCredentials } from '../api/credentials.js';
import { isReadableOnTheWay, readUrls } from '../api/target.js';
import type { Cli } from '../cli.js';
import { ConfigFault } from '../fault.js';
import { askedSecret } from '../input/secret.js';
import { asksHub, examples } from '../options.js';
import { facts } from '../output/table.js';

type LoginOptions = { token?: string; tokenFile?: string };

export function addLogin(program: Command, cli: Cli): void {
  program
    .command('login')
    .description('check a personal token and store it for this user')
    .argument('<url>', 'the hub, or several replicas with commas between')
    .option('--token <token>', 'the token; else FAIRLEAD_TOKEN, else a hidden prompt or stdin')
    .option('--token-file <file>', 'a file that holds it; - for stdin')
    .option('--json', 'print one JSON document: the answer of the hub')
    .addHelpText(
      'after',
      examples(
        'login http://127.0.0.1:8080',
        'login https://a.example.com,https://b.example.com --token-file token',
      ),
    )
    .action(
      cli.action<LoginOptions, [string]>(async (run, list) => {
        const { surroundings, printer, options } = run;
        const urls = readUrls(list);
        const { tokenFile } = options;
        const sources = { token: options.token, tokenFile, variable: 'FAIRLEAD_TOKEN' };
        const token = await askedSecret(sources, 'Token: ', surroundings);
        for (const url of urls.filter(isReadableOnTheWay)) {
          printer.warn(`${url} is not encrypted; others on the way can read the token`);
        }
        const hub = run.client({ urls, token });
        const me = await run.spin('asking the hub', () => hub.ask<MeDto>({ method: 'GET', path: '/me' }));
        const path = credentialsPath(surroundings.env);
        await storeCredentials(path, { url: urls.join(','), token }).catch((error: unknown) => {
          const detail = `${path} cannot be written.`;
          const remedy = 'Make its folder writable, or name another one in FAIRLEAD_HOME.';
          throw new ConfigFault({ detail, remedy }, { cause: error });
        });
        printer.data(me, () => [`Logged in to ${urls.join(', ')} as ${me.name} (${me.role}).`]);
        if (surroundings.env.FAIRLEAD_TOKEN !== undefined || surroundings.env.FAIRLEAD_URL !== undefined) {
          printer.note('FAIRLEAD_TOKEN and FAIRLEAD_URL go before what was stored, while they are set.');
        }
      }),
    );

  program
    .command('logout')
    .description('forget the stored token; the token itself stays valid')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('logout'))
    .action(
      cli.action(async ({ surroundings: { env }, printer }) => {
        const path = credentialsPath(env);
        // A damaged file is forgotten all the same.
        const stored = await loadCredentials(path).catch(() => undefined);
        const forgotten = await forgetCredentials(path);
        printer.data({ forgotten }, () => [
          forgotten
            ? `Logged out${stored === undefined ? '' : ` of ${stored.url}`}.`
            : 'Nobody was logged in.',
        ]);
      }),
    );

  asksHub(program.command('whoami'))
    .description('whom the hub takes you for')
    .addHelpText('after', examples('whoami'))
    .action(
      cli.action(async (run) => {
        const hub = await run.hub();
        const me = await run.spin('asking the hub', () => hub.ask<MeDto>({ method: 'GET', path: '/me' }));
        run.printer.data(me, () =>
          facts(
            [
              ['name', me.name],
              ['role', me.role],
              ['user', me.userId],
              ['token', me.credentialId],
              ['access', me.access],
              ['projects', me.projects?.map(({ project, role }) => `${project} (${role})`).join(', ')],
              ['hub', hub.target.urls.join(', ')],
            ],
            run.printer.paint,
          ),
        );
      }),
    );
}
