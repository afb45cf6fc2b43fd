/** Projects: the scopes that brokers are attached to, and that agents and commands belong to. */
import type { Command } from 'commander';
import type { CreateProjectDto, ProjectDto, UpdateProjectDto } from '../../hub/registry/dto/project.dto.js';
import type { Ask } from '../api/client.js';
import type { Cli } from '../cli.js';
import { UsageFault } from '../fault.js';
import { count } from '../input/duration.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age } from '../output/age.js';
import type { Printer } from '../output/printer.js';
import { facts } from '../output/table.js';
import { printList } from './list.js';
import { addProjectBrokers } from './project-brokers.js';
import { addProjectMessages } from './project-messages.js';
import { projectPath as pathOf } from './project-path.js';

type Settings = { minBrokerVersion?: string; maxPending?: number };
type UpdateOptions = Settings & { revision?: number };
type ListOptions = PageOptions & { archived?: boolean };

export function addProjects(program: Command, cli: Cli): void {
  const group = program
    .command('projects')
    .description('projects, and the brokers that are attached to them')
    .addHelpText(
      'after',
      examples('projects create web', 'projects attach web build-1', 'projects brokers web'),
    );
  addChanges(group, cli);
  addProjectBrokers(group, cli);
  addProjectMessages(group, cli);

  lists(group.command('list'))
    .description('list projects, newest first')
    .option('--archived', 'archived ones as well')
    .addHelpText('after', examples('projects list', 'projects list --archived'))
    .action(
      cli.action<ListOptions>((run) =>
        printList<ProjectDto>(
          run,
          '/projects',
          run.options.archived === true ? { archived: 'true' } : {},
          (nowMs) => [
            { title: 'ID', of: ({ id }) => id },
            { title: 'NAME', of: ({ name }) => name },
            { title: 'MIN BROKER', of: ({ minBrokerVersion }) => minBrokerVersion },
            { title: 'MAX PENDING', of: ({ maxPending }) => maxPending },
            { title: 'AGE', of: ({ createdAt }) => age(createdAt, nowMs) },
            {
              title: 'ARCHIVED',
              of: ({ archivedAt }) => (archivedAt === null ? null : age(archivedAt, nowMs)),
            },
          ],
        ),
      ),
    );

  asksHub(group.command('get'))
    .description('show one project')
    .argument('<project>', 'id or name')
    .addHelpText('after', examples('projects get web'))
    .action(
      cli.action<object, [string]>((run, project) => show(run, { method: 'GET', path: pathOf(project) })),
    );
}

function addChanges(group: Command, cli: Cli): void {
  settings(group.command('create'))
    .description('make a project')
    .argument('<name>', 'lower-case letters, digits and inner hyphens')
    .addHelpText('after', examples('projects create web', 'projects create web --max-pending 500'))
    .action(
      cli.action<Settings, [string]>((run, name) => {
        const body: Partial<CreateProjectDto> = { name, ...settingsOf(run.options) };
        return show(run, { method: 'POST', path: '/projects', body });
      }),
    );

  settings(group.command('update'))
    .description('change what is named; all else stays')
    .argument('<project>', 'id or name')
    .option('--revision <n>', 'only if it is still the one that was read', count)
    .addHelpText(
      'after',
      examples(
        'projects update web --min-broker-version 1.10',
        'projects update web --max-pending 500 --revision 3',
      ),
    )
    .action(
      cli.action<UpdateOptions, [string]>((run, project) => {
        const body: UpdateProjectDto = settingsOf(run.options);
        if (Object.keys(body).length === 0) throw new UsageFault('Name what is to be changed.');
        const { revision } = run.options;
        const repeat = revision === undefined ? 'harmless' : 'harmful';
        return show(run, { method: 'PATCH', path: pathOf(project), body, revision, repeat });
      }),
    );

  asksHub(group.command('archive'))
    .description('end a project: it takes no commands any more; what was accepted is done')
    .argument('<project>', 'id or name')
    .addHelpText('after', examples('projects archive web'))
    .action(
      cli.action<object, [string]>((run, project) =>
        show(run, { method: 'POST', path: `${pathOf(project)}/archive` }),
      ),
    );
}

function settings(command: Command): Command {
  return asksHub(command)
    .option(
      '--min-broker-version <version>',
      'MAJOR.MINOR below which brokers are given no new work; it only rises (default: none)',
    )
    .option('--max-pending <n>', 'how many live commands it may have, up to 100000 (default: 10000)', count);
}

function settingsOf({ minBrokerVersion, maxPending }: Settings): UpdateProjectDto {
  return {
    ...(minBrokerVersion === undefined ? {} : { minBrokerVersion }),
    ...(maxPending === undefined ? {} : { maxPending }),
  };
}

async function show(run: Invocation<object>, ask: Ask): Promise<void> {
  const hub = await run.hub();
  const project = await run.spin('asking the hub', () => hub.ask<ProjectDto>(ask));
  run.printer.data(project, () => projectFacts(run.printer, project, hub.hubNowMs));
}

function projectFacts({ paint }: Printer, project: ProjectDto, nowMs: number): string[] {
  return facts(
    [
      ['id', project.id],
      ['name', project.name],
      ['min broker version', project.minBrokerVersion],
      ['max pending', project.maxPending],
      ['revision', project.revision],
      ['created', `${age(project.createdAt, nowMs)} ago`],
      ['archived', project.archivedAt === null ? undefined : `${age(project.archivedAt, nowMs)} ago`],
    ],
    paint,
  );
}
