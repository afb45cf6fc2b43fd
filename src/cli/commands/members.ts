/** Who is what in a project. */
import { Argument, type Command } from 'commander';
import type { MemberDto, SetMemberDto } from '../../hub/auth/dto/member.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age } from '../output/age.js';
import { printList } from './list.js';
import { projectPath } from './project-path.js';

export function addMembers(program: Command, cli: Cli): void {
  const group = program
    .command('members')
    .description('who is what in a project')
    .addHelpText('after', examples('members set web ada operator', 'members list web'));

  lists(group.command('list'))
    .description('list the members of a project')
    .argument('<project>', 'id or name')
    .addHelpText('after', examples('members list web'))
    .action(
      cli.action<PageOptions, [string]>((run, project) =>
        printList<MemberDto>(run, pathOf(project), {}, (nowMs) => [
          { title: 'USER', of: ({ name }) => name },
          { title: 'EMAIL', of: ({ email }) => email },
          { title: 'ROLE', of: ({ role }) => role },
          { title: 'SINCE', of: ({ createdAt }) => age(createdAt, nowMs) },
          {
            title: 'STATE',
            of: ({ disabledAt }) => (disabledAt === null ? 'let in' : 'disabled'),
            isState: true,
          },
        ]),
      ),
    );

  asksHub(group.command('set'))
    .description('make a user a member of a project, or give a member another role')
    .argument('<project>', 'id or name')
    .argument('<user>', 'id or name')
    .addArgument(
      new Argument(
        '<role>',
        'viewer sees all of it, operator gives commands, admin says who is a member',
      ).choices(['viewer', 'operator', 'admin']),
    )
    .addHelpText('after', examples('members set web ada operator'))
    .action(
      cli.action<object, [string, string, SetMemberDto['role']]>(async (run, project, user, role) => {
        const hub = await run.hub();
        const body: SetMemberDto = { role };
        const path = `${pathOf(project)}/${encodeURIComponent(user)}`;
        const member = await run.spin('asking the hub', () =>
          hub.ask<MemberDto>({ method: 'PUT', path, body }),
        );
        run.printer.data(member, () => [`${member.name} is ${member.role} in ${project}.`]);
      }),
    );

  asksHub(group.command('remove'))
    .description('take a user out of a project')
    .argument('<project>', 'id or name')
    .argument('<user>', 'id or name')
    .addHelpText('after', examples('members remove web ada'))
    .action(
      cli.action<object, [string, string]>(async (run, project, user) => {
        const hub = await run.hub();
        const path = `${pathOf(project)}/${encodeURIComponent(user)}`;
        await run.spin('asking the hub', () => hub.ask({ method: 'DELETE', path }));
        run.printer.data({ user, member: false }, () => [`${user} is no member of ${project}.`]);
      }),
    );
}

function pathOf(project: string): string {
  return `${projectPath(project)}/members`;
}
