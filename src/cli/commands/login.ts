/** Who is asking: storing a token for this user, forgetting it, and asking the hub whom it takes one for. */
import type { Command } from 'commander';
import type { MeDto } from '../../hub/auth/dto/me.dto.js';
import { tokenByDevice } from '../api/device-login.js';
import { tokenBy } from '../api/sign-in.js';
import { BRIEF } from '../api/retry.js';
import { currentPath } from '../api/contexts.js';
import { forgetCredentials, loadCredentials, storeCredentials } from '../api/credentials.js';
import { isReadableOnTheWay, nonEmpty, readInviteLink, readUrls } from '../api/target.js';
import type { Cli } from '../cli.js';
import { ConfigFault, UsageFault } from '../fault.js';
import { askedPassword, askedSecret } from '../input/secret.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples } from '../options.js';
import { printable } from '../output/printable.js';
import { facts } from '../output/table.js';

export type LoginOptions = {
  token?: string;
  tokenFile?: string;
  user?: string;
  invite?: string;
  passwordFile?: string;
  device?: boolean;
};

export function addLogin(program: Command, cli: Cli): void {
  loginOptions(program.command('login'), 'login')
    .description(
      'come in by a code that is approved elsewhere, a token or a password, and store a token for this user',
    )
    .argument('<url>', 'the hub, or several replicas with commas between; or a link with an invite')
    .action(
      cli.action<LoginOptions, [string]>(async (run, address) => {
        await logIn(run, address, await currentPath(run.surroundings.env));
      }),
    );

  program
    .command('logout')
    .description('forget the stored token; one that the login has made is revoked, another stays valid')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('logout'))
    .action(
      cli.action(async (run) => {
        const { url, forgotten } = await logOut(run, await currentPath(run.surroundings.env));
        run.printer.data({ forgotten }, () => [
          forgotten ? `Logged out${url === undefined ? '' : ` of ${url}`}.` : 'Nobody was logged in.',
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

/** For a command that comes in. @param start of its line in the examples, before the address */
export function loginOptions(command: Command, start: string): Command {
  return command
    .option('--token <token>', 'the token; else FAIRLEAD_TOKEN, else what is piped in, else by a code')
    .option('--token-file <file>', 'a file that holds it; - for stdin')
    .option('--user <user>', 'a name or an e-mail address, to come in by its password')
    .option('--invite <invite>', 'to come in by an invite, with a password that is set by that')
    .option(
      '--password-file <file>',
      'a file that holds the password; - for stdin; else a hidden prompt or stdin',
    )
    .option('--device', 'to come in by a code, whatever else there is')
    .option('--json', 'print one JSON document: the answer of the hub')
    .addHelpText(
      'after',
      examples(
        `${start} http://127.0.0.1:8080`,
        `${start} https://a.example.com,https://b.example.com --token-file token`,
        `${start} https://a.example.com --user ada@example.com`,
        `${start} https://a.example.com --invite fli_...`,
        `${start} https://a.example.com/invite#fli_...`,
      ),
    );
}

/** Comes in, and keeps what was given in the file. */
export async function logIn(run: Invocation<LoginOptions>, address: string, path: string): Promise<void> {
  const { surroundings, printer } = run;
  const link = readInviteLink(address);
  run.hide(link?.invite);
  const urls = readUrls(link?.url ?? address);
  for (const url of urls.filter(isReadableOnTheWay)) {
    printer.warn(`${url} is not encrypted; others on the way can read the token`);
  }
  const { token, tokenId } = await credentialFor(run, urls, link?.invite);
  const hub = run.client({ urls, token });
  const me = await run.spin('asking the hub', () => hub.ask<MeDto>({ method: 'GET', path: '/me' }));
  await storeCredentials(path, { url: urls.join(','), token, tokenId }).catch((error: unknown) => {
    const detail = `${path} cannot be written.`;
    const remedy = 'Make its folder writable, or name another one in FAIRLEAD_HOME.';
    throw new ConfigFault({ detail, remedy }, { cause: error });
  });
  printer.data(me, () => [`Logged in to ${urls.join(', ')} as ${me.name} (${me.role}).`]);
  if (surroundings.env.FAIRLEAD_TOKEN !== undefined || surroundings.env.FAIRLEAD_URL !== undefined) {
    printer.note('FAIRLEAD_TOKEN and FAIRLEAD_URL go before what was stored, while they are set.');
  }
}

/** Forgets what is kept in the file. @returns of which hub it was, where that could be read */
export async function logOut(
  run: Invocation<object>,
  path: string,
): Promise<{ url: string | undefined; forgotten: boolean }> {
  // A damaged file is forgotten all the same.
  const stored = await loadCredentials(path).catch(() => undefined);
  if (stored?.tokenId !== undefined) await revoke(run, stored.url, stored.token, stored.tokenId);
  return { url: stored?.url, forgotten: await forgetCredentials(path) };
}

/** The token that is to be stored, and its id where it was made for that. */
async function credentialFor(
  run: Invocation<LoginOptions>,
  urls: string[],
  linked: string | undefined,
): Promise<{ token: string; tokenId?: string }> {
  const { options, surroundings } = run;
  const { token, tokenFile, user, passwordFile, device } = options;
  if (linked !== undefined && options.invite !== undefined)
    throw new UsageFault('The link has an invite in it already.');
  const invite = linked ?? options.invite;
  if ([token ?? tokenFile, user, invite, device].filter((way) => way !== undefined).length > 1) {
    throw new UsageFault(
      'Come in by a token, by --user, by --invite or by --device, and by one of these alone.',
    );
  }
  if (user === undefined && invite === undefined) {
    if (passwordFile !== undefined) throw new UsageFault('--password-file goes with --user or --invite.');
    const sources = { token, tokenFile, variable: 'FAIRLEAD_TOKEN' };
    const given = token ?? tokenFile ?? nonEmpty(surroundings.env.FAIRLEAD_TOKEN);
    if (device === true || (given === undefined && surroundings.stdin.isTTY === true))
      return byDevice(run, urls);
    return { token: await askedSecret(sources, 'Token: ', surroundings) };
  }
  run.hide(invite);
  const password = await askedPassword(passwordFile, 'Password: ', surroundings);
  run.hide(password);
  const entry = invite === undefined ? { user: user ?? '', password } : { invite, password };
  const made = await run.spin('signing in', () =>
    tokenBy(entry, (shown) => run.client({ urls, token: shown })),
  );
  return { token: made.token, tokenId: made.id };
}

/** Words for people go to stderr, with `--json` too: without them nobody would know what to do. */
async function byDevice(
  run: Invocation<LoginOptions>,
  urls: string[],
): Promise<{ token: string; tokenId: string }> {
  const { clock, stderr } = run.surroundings;
  const made = await tokenByDevice(run.client({ urls, token: '' }), clock, (begun) => {
    run.hide(begun.deviceCode);
    stderr.write(
      [
        'To let this machine in, open',
        '',
        `  ${printable(begun.verificationUriComplete)}`,
        '',
        'and compare the code, or run this where you are logged in:',
        '',
        `  fairlead device approve ${printable(begun.userCode)}`,
        '',
        '',
      ].join('\n'),
    );
  });
  return { token: made.token, tokenId: made.id };
}

/** Whoever logs out does so in any case; that the token is still good is said. */
async function revoke(run: Invocation<object>, url: string, token: string, id: string): Promise<void> {
  const hub = run.client({ urls: readUrls(url), token });
  try {
    await run.spin('asking the hub', () =>
      hub.ask({ method: 'DELETE', path: `/tokens/${encodeURIComponent(id)}`, patience: BRIEF }),
    );
  } catch {
    run.printer.warn(`the token could not be revoked, and stays good until it ends: its id is ${id}`);
  }
}
