/** Which brokers a project admits. */
import { Option, type Command } from 'commander';
import type { AttachmentDto } from '../../hub/registry/dto/attachment.dto.js';
import type { ProjectWhyDto } from '../../hub/dispatch/dto/project-why.dto.js';
import type { RosterBrokerDto } from '../../hub/registry/dto/roster.dto.js';
import type { Cli } from '../cli.js';
import { asksHub, examples, lists, type PageOptions } from '../options.js';
import { age } from '../output/age.js';
import { projectWhyLines } from '../output/dispatch.js';
import { pairs } from '../output/table.js';
import { filterQuery, filtersBrokers, type BrokerFilterOptions } from './broker-filters.js';
import { admissionText, serviceText } from './brokers.js';
import { printList } from './list.js';
import { projectPath } from './project-path.js';

const STATES = [
  'registering',
  'online',
  'degraded',
  'offline',
  'revoked',
] as const satisfies AttachmentDto['state'][];

type RosterOptions = PageOptions & BrokerFilterOptions & { state?: (typeof STATES)[number] };

export function addProjectBrokers(group: Command, cli: Cli): void {
  addProjectWhy(group, cli);

  asksHub(group.command('attach'))
    .description('let a broker into a project; safe to repeat')
    .argument('<project>', 'id or name')
    .argument('<broker>', 'id or name')
    .addHelpText('after', examples('projects attach web build-1'))
    .action(
      cli.action<object, [string, string]>(async (run, project, broker) => {
        const hub = await run.hub();
        const path = `${projectPath(project)}/attachments`;
        const attached = await run.spin('asking the hub', () =>
          hub.ask<AttachmentDto>({ method: 'POST', path, body: { broker } }),
        );
        run.printer.data(attached, () => [
          `${attached.broker.name} is attached to ${attached.project.name} (${admissionText(attached)}).`,
        ]);
      }),
    );

  asksHub(group.command('detach'))
    .description('take a broker out of a project; what was accepted for it is done')
    .argument('<project>', 'id or name')
    .argument('<broker>', 'id or name')
    .addHelpText('after', examples('projects detach web build-1'))
    .action(
      cli.action<object, [string, string]>(async (run, project, broker) => {
        const hub = await run.hub();
        const path = attachmentPath(project, broker);
        await run.spin('asking the hub', () => hub.ask({ method: 'DELETE', path }));
        run.printer.data({ project, broker, detached: true }, () => [`Detached ${broker} from ${project}.`]);
      }),
    );

  asksHub(group.command('revoke'))
    .description('take a broker out of a project for ever')
    .argument('<project>', 'id or name')
    .argument('<broker>', 'id or name')
    .addHelpText('after', examples('projects revoke web build-1'))
    .action(
      cli.action<object, [string, string]>(async (run, project, broker) => {
        const hub = await run.hub();
        const path = `${attachmentPath(project, broker)}/revoke`;
        const revoked = await run.spin('asking the hub', () =>
          hub.ask<AttachmentDto>({ method: 'POST', path }),
        );
        run.printer.data(revoked, () => [
          `${revoked.broker.name} is out of ${revoked.project.name} for ever.`,
        ]);
      }),
    );

  filtersBrokers(lists(group.command('brokers')))
    .description('list the brokers of a project, those that joined the hub last first')
    .argument('<project>', 'id or name')
    .addOption(new Option('--state <state>', 'only those whose attachment is').choices(STATES))
    .addHelpText('after', examples('projects brokers web', 'projects brokers web --state online --watch'))
    .action(
      cli.action<RosterOptions, [string]>((run, project) => {
        const { state } = run.options;
        return printList<RosterBrokerDto>(
          run,
          `${projectPath(project)}/brokers`,
          { ...filterQuery(run.options), state },
          (nowMs) => [
            { title: 'ID', of: ({ id }) => id },
            { title: 'NAME', of: ({ name }) => name },
            { title: 'ATTACHED', of: ({ attachment }) => admissionText(attachment), isState: true },
            { title: 'PRESENCE', of: ({ presence }) => presence?.state ?? 'never seen', isState: true },
            { title: 'SEEN', of: ({ presence }) => age(presence?.lastSeenAt ?? null, nowMs) },
            { title: 'SERVICE', of: serviceText, isState: true },
            { title: 'REPLICA', of: ({ ownership }) => ownership?.replica },
            { title: 'SOFTWARE', of: ({ software }) => software },
            { title: 'LABELS', of: ({ labels }) => pairs(labels) },
          ],
        );
      }),
    );
}

function addProjectWhy(group: Command, cli: Cli): void {
  asksHub(group.command('why'))
    .description('whether a project takes commands for a broker, and if not what would change that')
    .argument('<project>', 'id or name')
    .argument('<broker>', 'id or name')
    .addHelpText('after', examples('projects why web build-1'))
    .action(
      cli.action<object, [string, string]>(async (run, project, broker) => {
        const hub = await run.hub();
        const path = `${projectPath(project)}/brokers/${encodeURIComponent(broker)}/why`;
        const why = await run.spin('asking the hub', () => hub.ask<ProjectWhyDto>({ method: 'GET', path }));
        run.printer.data(why, () => projectWhyLines(run.printer, why, hub.hubNowMs));
      }),
    );
}

function attachmentPath(project: string, broker: string): string {
  return `${projectPath(project)}/attachments/${encodeURIComponent(broker)}`;
}
