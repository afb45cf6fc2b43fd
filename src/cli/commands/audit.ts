/** Who did what to the hub. */
import { once } from 'node:events';
import { Option, type Command } from 'commander';
import type { AuditDto } from '../../hub/auth/dto/audit.dto.js';
import type { AuditVerdict } from '../../hub/verify/main.js';
import { readAudit } from '../api/audit.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import type { Paint } from '../output/colour.js';
import { facts } from '../output/table.js';
import { printList } from './list.js';
import { reported } from './verify.js';

type ListOptions = PageOptions & Partial<Record<'act' | 'actor' | 'subject' | 'outcome', string>>;

export function addAudit(program: Command, cli: Cli): void {
  const group = program
    .command('audit')
    .description(
      'who did what to people, tokens, brokers, projects and replicas, from where, and what came of it',
    )
    .addHelpText('after', examples('audit list', 'audit list --act broker.revoke --json', 'audit verify'));

  lists(group.command('list'))
    .description('list what was done, newest first')
    .option('--act <act>', 'only one kind of act, such as broker.cordon or join_token.create')
    .option('--actor <id>', 'only what one user or broker did')
    .option('--subject <id>', 'only what was done to one broker, project, user, token or replica')
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

  asksHub(group.command('export'))
    .description('print the whole audit with its chain, oldest first, one JSON document a line')
    .addHelpText('after', examples('audit export > audit.ndjson', 'audit export | jq -c .entry'))
    .action(
      cli.action<object>(async (run) => {
        const hub = await run.hub();
        const { stdout } = run.surroundings;
        let count = 0;
        await run.spin('reading the audit', async (say) => {
          for await (const item of readAudit(hub)) {
            if (!stdout.write(`${JSON.stringify(item)}\n`)) await once(stdout, 'drain');
            count += 1;
            if (count % 1_000 === 0) say(`read ${count} rows`);
          }
        });
        run.printer.note(`${count} rows.`);
      }),
    );

  asksHub(group.command('verify'))
    .description('check that no row of the audit was changed, removed, inserted or reordered')
    .addOption(new Option('--file <file>', 'read what `fairlead audit export` printed'))
    .option(
      '--head <head>',
      'the head that an earlier verify printed: what was there then must still be there',
    )
    .addHelpText('after', WHAT_IT_PROVES)
    .addHelpText('after', examples('audit verify', 'audit verify --file audit.ndjson --head 1234:9f86d0...'))
    .action(
      cli.action<{ file?: string; head?: string }>(async (run) => {
        const program = await run.surroundings.programs.verify();
        const { file, head } = run.options;
        const verdict = await reported(program, async () => {
          const items =
            file === undefined ? program.auditOfHub(readAudit(await run.hub())) : program.auditOfFile(file);
          return run.spin('reading the audit', () => program.verifyAudit(items, head));
        });
        run.printer.data(verdict, () => auditLines(verdict, run.printer.paint));
        return verdict.clean ? EXIT.ok : EXIT.failed;
      }),
    );
}

const WHAT_IT_PROVES = [
  '',
  'Each row has a place in a chain of hashes. The first row is named that is not as it was when it was linked; the exit',
  'code is 1 then. Whoever owns the database may make the chain anew from its first link, or cut off its end: keep the',
  'head elsewhere, and give it with --head.',
].join('\n');

function auditLines({ linked, waiting, head, fault }: AuditVerdict, paint: Paint): string[] {
  const summary = facts(
    [
      ['rows as they were', linked],
      ['not linked yet', waiting],
      ['head', head ?? undefined],
    ],
    paint,
  );
  if (fault === null) return [...summary, '', paint('green', 'The audit is as it was.')];
  const { tampering, position, id, seen } = fault;
  const place = position === null ? 'a row without a place' : `the row at ${position}`;
  return [
    ...summary,
    '',
    paint('red', `${place}${id === null ? '' : `, ${id},`} was ${tampering}: ${seen}.`),
  ];
}
