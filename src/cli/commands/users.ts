/** The people of the hub. */
import { Option, type Command } from 'commander';
import type { CreatedPersonalTokenDto } from '../../hub/auth/dto/personal-token.dto.js';
import type { CreateUserDto, UpdateUserDto, UserDto } from '../../hub/auth/dto/user.dto.js';
import type { Ask } from '../api/client.js';
import type { Cli } from '../cli.js';
import { UsageFault } from '../fault.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age } from '../output/age.js';
import { facts } from '../output/table.js';
import { makesInvite } from './invites.js';
import { printList } from './list.js';
import { tokenBodyOf, tokenOptions, tellToken, type TokenOptions } from './tokens.js';

type Role = UserDto['role'];
type Settings = { email?: string; role?: Role };
type ListOptions = PageOptions & { role?: Role; disabled?: boolean };

export function addUsers(program: Command, cli: Cli): void {
  const group = program
    .command('users')
    .description('the people of the hub, and what each is in it')
    .addHelpText('after', examples('users create ada --email ada@example.com', 'users list'));
  addChanges(group, cli);
  addSwitches(group, cli);
  addWaysIn(group, cli);

  lists(group.command('list'))
    .description('list users, newest first')
    .addOption(roleOption())
    .option('--disabled', 'disabled ones as well')
    .addHelpText('after', examples('users list', 'users list --role admin --disabled'))
    .action(
      cli.action<ListOptions>((run) => {
        const { role, disabled } = run.options;
        const query = { role, ...(disabled === true ? { disabled: 'true' } : {}) };
        return printList<UserDto>(run, '/users', query, (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'NAME', of: ({ name }) => name },
          { title: 'EMAIL', of: ({ email }) => email },
          { title: 'ROLE', of: ({ role: held }) => held },
          { title: 'AGE', of: ({ createdAt }) => age(createdAt, nowMs) },
          {
            title: 'STATE',
            of: ({ disabledAt }) => (disabledAt === null ? 'let in' : 'disabled'),
            isState: true,
          },
        ]);
      }),
    );

  asksHub(group.command('get'))
    .description('show one user')
    .argument('<user>', 'id or name')
    .addHelpText('after', examples('users get ada'))
    .action(cli.action<object, [string]>((run, user) => show(run, { method: 'GET', path: pathOf(user) })));

  tokenOptions(asksHub(group.command('token')))
    .description('make a token for a program that works under a name of its own; it is shown once')
    .argument('<user>', 'id or name')
    .argument('<name>', 'what the token is for')
    .addHelpText('after', examples('users token builder nightly --expires 30d --project web'))
    .action(
      cli.action<TokenOptions, [string, string]>(async (run, user, name) => {
        const hub = await run.hub();
        const body = await tokenBodyOf(hub, name, run.options);
        const path = `${pathOf(user)}/tokens`;
        // The hub keeps no answer with a secret in it, so a repeat would make a second token.
        const made = await run.spin('asking the hub', () =>
          hub.ask<CreatedPersonalTokenDto>({ method: 'POST', path, body, repeat: 'harmful' }),
        );
        tellToken(run, hub, made);
      }),
    );
}

function addChanges(group: Command, cli: Cli): void {
  settings(group.command('create'))
    .description('make a user; whoever made it gives it projects, or a token')
    .argument('<name>', 'lower-case letters, digits and inner hyphens')
    .addHelpText('after', examples('users create ada --email ada@example.com', 'users create builder'))
    .action(
      cli.action<Settings, [string]>((run, name) => {
        const body: Partial<CreateUserDto> = { name, ...run.options };
        return show(run, { method: 'POST', path: '/users', body: settingsOf(body) });
      }),
    );

  settings(group.command('update'))
    .description('change what is named; all else stays')
    .argument('<user>', 'id or name')
    .addHelpText('after', examples('users update ada --role admin'))
    .action(
      cli.action<Settings, [string]>((run, user) => {
        const body: UpdateUserDto = settingsOf(run.options);
        if (Object.keys(body).length === 0) throw new UsageFault('Name what is to be changed.');
        return show(run, { method: 'PATCH', path: pathOf(user), body });
      }),
    );
}

function addSwitches(group: Command, cli: Cli): void {
  asksHub(group.command('disable'))
    .description('let a user in no more: all its tokens are good for nothing, everywhere, within a second')
    .argument('<user>', 'id or name')
    .addHelpText('after', examples('users disable ada'))
    .action(cli.action<object, [string]>((run, user) => show(run, { method: 'DELETE', path: pathOf(user) })));

  asksHub(group.command('enable'))
    .description('let a user in again, with whatever is still good of its tokens')
    .argument('<user>', 'id or name')
    .addHelpText('after', examples('users enable ada'))
    .action(
      cli.action<object, [string]>((run, user) =>
        show(run, { method: 'POST', path: `${pathOf(user)}/enable` }),
      ),
    );
}

function addWaysIn(group: Command, cli: Cli): void {
  makesInvite(group.command('invite'), cli, 'users invite');

  asksHub(group.command('end-sessions'))
    .description('end all sessions of a user, everywhere, within a second; tokens stay')
    .argument('<user>', 'id or name')
    .addHelpText('after', examples('users end-sessions ada'))
    .action(
      cli.action<object, [string]>(async (run, user) => {
        const hub = await run.hub();
        const path = `${pathOf(user)}/sessions`;
        await run.spin('asking the hub', () => hub.ask({ method: 'DELETE', path }));
        run.printer.data({ user, ended: true }, () => [`Ended all sessions of ${user}.`]);
      }),
    );
}

function settings(command: Command): Command {
  return asksHub(command)
    .option('--email <address>', 'its address; case makes no difference')
    .addOption(roleOption());
}

function roleOption(): Option {
  return new Option('--role <role>', 'what it is in the hub').choices(['admin', 'member']);
}

/** What of the options is a setting: others are of the command line. */
function settingsOf({ name, email, role }: Partial<CreateUserDto>): Partial<CreateUserDto> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(email === undefined ? {} : { email }),
    ...(role === undefined ? {} : { role }),
  };
}

function pathOf(user: string): string {
  return `/users/${encodeURIComponent(user)}`;
}

async function show(run: Invocation<object>, ask: Ask): Promise<void> {
  const hub = await run.hub();
  const user = await run.spin('asking the hub', () => hub.ask<UserDto>(ask));
  run.printer.data(user, () =>
    facts(
      [
        ['id', user.id],
        ['name', user.name],
        ['email', user.email],
        ['role', user.role],
        ['created', `${age(user.createdAt, hub.hubNowMs)} ago`],
        ['disabled', user.disabledAt === null ? undefined : `${age(user.disabledAt, hub.hubNowMs)} ago`],
      ],
      run.printer.paint,
    ),
  );
}
