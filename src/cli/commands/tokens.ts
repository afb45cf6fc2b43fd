/** The tokens by which a person, or a program of theirs, calls the hub. */
import type { Command } from 'commander';
import type {
  CreatedPersonalTokenDto,
  CreatePersonalTokenDto,
  PersonalTokenDto,
} from '../../hub/auth/dto/personal-token.dto.js';
import type { ProjectDto } from '../../hub/registry/dto/project.dto.js';
import type { Client } from '../api/client.js';
import type { Cli } from '../cli.js';
import { durationS } from '../input/duration.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age, away } from '../output/age.js';
import { printList } from './list.js';
import { projectPath } from './project-path.js';

export type TokenOptions = { expires?: number; readOnly?: boolean; project?: string[] };

export function addTokens(program: Command, cli: Cli): void {
  const group = program
    .command('tokens')
    .description('your own tokens')
    .addHelpText('after', examples('tokens create nightly --project web', 'tokens list'));

  tokenOptions(asksHub(group.command('create')))
    .description('make a token; it is shown once')
    .argument('<name>', 'what it is for')
    .addHelpText(
      'after',
      examples('tokens create nightly --expires 30d', 'tokens create dashboard --read-only --project web'),
    )
    .action(
      cli.action<TokenOptions, [string]>(async (run, name) => {
        const hub = await run.hub();
        const body = await tokenBodyOf(hub, name, run.options);
        // The hub keeps no answer with a secret in it, so a repeat would make a second token.
        const made = await run.spin('asking the hub', () =>
          hub.ask<CreatedPersonalTokenDto>({ method: 'POST', path: '/tokens', body, repeat: 'harmful' }),
        );
        tellToken(run, hub, made);
      }),
    );

  lists(group.command('list'))
    .description('list your tokens, newest first')
    .addHelpText('after', examples('tokens list', 'tokens list --limit 500 --json'))
    .action(
      cli.action<PageOptions>((run) =>
        printList<PersonalTokenDto>(run, '/tokens', {}, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'NAME', of: ({ name }) => name },
          { title: 'TOKEN', of: ({ prefix }) => `${prefix}...` },
          { title: 'ACCESS', of: ({ access }) => access },
          { title: 'PROJECTS', of: ({ projects }) => (projects === null ? 'all' : projects.length) },
          { title: 'STATE', of: (token) => stateOf(token, nowMs), isState: true },
          {
            title: 'EXPIRES',
            of: ({ expiresAt }) => (expiresAt === null ? 'never' : away(expiresAt, nowMs)),
          },
          {
            title: 'LAST USED',
            of: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : `${age(lastUsedAt, nowMs)} ago`),
          },
        ]),
      ),
    );

  asksHub(group.command('revoke'))
    .description('make one of your tokens useless, everywhere, within a second')
    .argument('<id>', 'the id of the token, as the list shows it')
    .addHelpText('after', examples('tokens revoke 0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33'))
    .action(
      cli.action<object, [string]>(async (run, id) => {
        const hub = await run.hub();
        const path = `/tokens/${encodeURIComponent(id)}`;
        await run.spin('asking the hub', () => hub.ask({ method: 'DELETE', path }));
        run.printer.data({ id, revoked: true }, () => [`Revoked ${id}.`]);
      }),
    );
}

/** How far a new token reaches. */
export function tokenOptions(command: Command): Command {
  return command
    .option('--expires <duration>', 'how long it is good, such as 1h or 30d (default: 90d)', durationS)
    .option('--read-only', 'it changes nothing')
    .option(
      '--project <project>',
      'it is good for this project alone; may be repeated',
      (project, before: string[] = []) => [...before, project],
    );
}

/** What is asked of the hub, which knows projects by their ids here. */
export async function tokenBodyOf(
  hub: Client,
  name: string,
  { expires, readOnly, project = [] }: TokenOptions,
): Promise<Partial<CreatePersonalTokenDto>> {
  const found = await Promise.all(
    project.map((one) => hub.ask<ProjectDto>({ method: 'GET', path: projectPath(one) })),
  );
  return {
    name,
    ...(expires === undefined ? {} : { expiresInS: expires }),
    ...(readOnly === true ? { access: 'read' } : {}),
    ...(found.length === 0 ? {} : { projects: [...new Set(found.map(({ id }) => id))] }),
  };
}

/** Shows a new token, alone on stdout. */
export function tellToken(run: Invocation<object>, hub: Client, made: CreatedPersonalTokenDto): void {
  run.printer.data(made, () => [made.token]);
  const end = made.expiresAt === null ? 'never expires' : `expires ${away(made.expiresAt, hub.hubNowMs)}`;
  run.printer.note(`Shown this once; ${end}. Programs take it from FAIRLEAD_TOKEN.`);
}

function stateOf({ revokedAt, expiresAt }: PersonalTokenDto, nowMs: number): string {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && Date.parse(expiresAt) <= nowMs ? 'expired' : 'usable';
}
