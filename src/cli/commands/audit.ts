/** Who did what to the hub. */
import { Option, type Command } from 'commander';
import type { AuditDto } from '../../hub/auth/dto/audit.dto.js';
import type { Cli } from '../cli.js';
import { examples, lists, type PageOptions } from '../options.js';
import { printList } from './list.js';

type ListOptions = PageOptions & Partial<Record<'act' | 'actor' | 'subject' | 'outcome', string>>;

export function addAudit(program: Command, cli: Cli): void {
  const group = program
    .command('audit')
    .description('who did what to people, tokens, brokers and projects, from where, and what came of it')
    .addHelpText('after', examples('audit list', 'audit list --act broker.revoke --json'));

  lists(group.command('list'))
    .description('list what was done, newest first')
    .option('--act <act>', 'only one kind of act, such as broker.cordon or join_token.create')
    .option('--actor <id>', 'only what one user or broker did')
    .option('--subject <id>', 'only what was done to one broker, project, user or token')
    .addOption(
      new Option('--outcome <outcome>', 'only what came to this').choices(['done', 'unchanged', 'refused']),
    )
    .addHelpText('after', examples('audit list --outcome refused', 'audit list --limit 500 --json'))
    .action(
      cli.action<ListOptions>((run) => {
        const { act, actor, subject, outcome } = run.options;
        return printList<AuditDto>(run, '/audit', { act, actor, subject, outcome }, () => [
          { title: 'AT', of: ({ at }) => at },
          { title: 'WHO', of: ({ actor }) => actor.name ?? actor.id },
          { title: 'ACT', of: ({ act }) => act },
          { title: 'SUBJECT', of: ({ subject }) => subject.name ?? subject.id },
          { title: 'OUTCOME', of: ({ outcome, code }) => code ?? outcome },
          { title: 'FROM', of: ({ address }) => address },
          { title: 'REQUEST', of: ({ requestId }) => requestId },
        ]);
      }),
    );
}
