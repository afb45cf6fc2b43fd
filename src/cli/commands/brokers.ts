/** The brokers that the hub knows. */
import type { Command } from 'commander';
import type { CreateDispatchDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import type { AdmissionDto } from '../../hub/registry/dto/admission.dto.js';
import type { BrokerDto } from '../../hub/registry/dto/broker.dto.js';
import { follow } from '../api/follow.js';
import type { Cli } from '../cli.js';
import { asksHub, examples, lists, waitS, waits, type PageOptions, type WaitOptions } from '../options.js';
import { age } from '../output/age.js';
import { showOutcome } from '../output/dispatch.js';
import type { Printer } from '../output/printer.js';
import { facts, pairs } from '../output/table.js';
import { filterQuery, filtersBrokers, type BrokerFilterOptions } from './broker-filters.js';
import { addBrokerConnection } from './broker-connection.js';
import { addBrokerHistory } from './broker-history.js';
import { addBrokerOperations } from './broker-operations.js';
import { printList } from './list.js';
import { straysText } from './strays.js';

/** A ping that nobody waits for any more is let go of soon after. */
const PING_LEEWAY_S = 5;

export function addBrokers(program: Command, cli: Cli): void {
  const group = program
    .command('brokers')
    .description('the brokers that the hub knows')
    .addHelpText(
      'after',
      examples(
        'brokers list',
        'brokers ping build-1',
        'brokers drain build-1',
        'brokers history build-1 --at 2h',
      ),
    );

  filtersBrokers(lists(group.command('list')))
    .description('list brokers, newest first; those that are away stay listed')
    .addHelpText(
      'after',
      examples(
        'brokers list --watch',
        'brokers list --label zone=eu --presence offline',
        'brokers list --owner hub-2',
      ),
    )
    .action(
      cli.action<PageOptions & BrokerFilterOptions>((run) =>
        printList<BrokerDto>(run, '/brokers', filterQuery(run.options), (nowMs) => [
          { title: 'ID', of: ({ id }) => id },
          { title: 'NAME', of: ({ name }) => name },
          { title: 'PRESENCE', of: ({ presence }) => presence?.state ?? 'never seen', isState: true },
          { title: 'SEEN', of: ({ presence }) => age(presence?.lastSeenAt ?? null, nowMs) },
          { title: 'SERVICE', of: serviceText, isState: true },
          { title: 'AGENTS', of: ({ presence }) => presence?.running },
          { title: 'REPLICA', of: ({ ownership }) => ownership?.replica },
          { title: 'SOFTWARE', of: ({ software }) => software },
          { title: 'LABELS', of: ({ labels }) => pairs(labels) },
        ]),
      ),
    );

  asksHub(group.command('get'))
    .description('show one broker')
    .argument('<broker>', 'id or name')
    .addHelpText('after', examples('brokers get build-1'))
    .action(
      cli.action<object, [string]>(async (run, idOrName) => {
        const hub = await run.hub();
        const path = `/brokers/${encodeURIComponent(idOrName)}`;
        const [broker, strays] = await run.spin('asking the hub', async () => {
          const found = await hub.ask<BrokerDto>({ method: 'GET', path });
          return [
            found,
            run.options.json === true ? undefined : await straysText(hub, { broker: found.id }),
          ] as const;
        });
        run.printer.data(broker, () => brokerFacts(run.printer, broker, strays, hub.hubNowMs));
      }),
    );

  addBrokerConnection(group, cli);
  addBrokerHistory(group, cli);
  addBrokerOperations(group, cli);

  waits(group.command('ping'))
    .description('send a command to a broker that does nothing but come back')
    .argument('<broker>', 'id or name')
    .addHelpText('after', examples('brokers ping build-1', 'brokers ping build-1 --wait 5'))
    .action(
      cli.action<WaitOptions, [string]>(async (run, idOrName) => {
        const { printer, surroundings } = run;
        const { clock } = surroundings;
        const hub = await run.hub();
        const seconds = waitS(run.options);
        const body: CreateDispatchDto = { op: 'broker.ping', deadlineS: seconds + PING_LEEWAY_S };
        const path = `/brokers/${encodeURIComponent(idOrName)}/dispatches`;
        const sentMs = clock.nowMs();
        const answer = await run.spin(`waiting for ${idOrName}`, () =>
          follow(hub, clock, { method: 'POST', path, body }, seconds),
        );
        const roundTripMs = Math.round(clock.nowMs() - sentMs);
        const exitCode = showOutcome(printer, answer, idOrName, seconds);
        if (answer.dispatch.state === 'succeeded')
          printer.note(`Round trip, hub included: ${roundTripMs} ms`);
        return exitCode;
      }),
    );
}

function brokerFacts(
  { paint }: Printer,
  broker: BrokerDto,
  strays: string | undefined,
  nowMs: number,
): string[] {
  const { ownership, presence, service } = broker;
  return facts(
    [
      ['id', broker.id],
      ['name', broker.name],
      ['presence', presence?.state ?? 'never seen'],
      ['seen', presence === null ? undefined : `${age(presence.lastSeenAt, nowMs)} ago`],
      [
        'service',
        service.since === null
          ? serviceText(broker)
          : `${serviceText(broker)}, since ${age(service.since, nowMs)}`,
      ],
      ['attached to', attachedText(broker)],
      ['revoked', broker.revokedAt === null ? undefined : `${age(broker.revokedAt, nowMs)} ago`],
      ['displaced by a copy', copiesOf(broker, nowMs)],
      ['key', keyText(broker, nowMs)],
      ['agents', presence?.running],
      ['strays', strays],
      ['load', presence?.load ?? undefined],
      ['replica', ownership?.replica ?? undefined],
      ['epoch', ownership?.epoch],
      ['connected', ownership?.replica == null ? undefined : `${age(ownership.since, nowMs)} ago`],
      ['released', releaseOf(ownership, nowMs)],
      ['software', broker.software],
      ['capabilities', broker.capabilities?.join(' ')],
      ['labels', pairs(broker.labels)],
      ['revision', broker.revision],
      ['joined', `${age(broker.createdAt, nowMs)} ago`],
    ],
    paint,
  );
}

/** What is out of the hub for ever is in no service, whatever it was before. */
export function serviceText({ service, revokedAt }: Pick<BrokerDto, 'service' | 'revokedAt'>): string {
  return revokedAt === null ? service.state : 'revoked';
}

export function admissionText({ state, readOnly }: Pick<AdmissionDto, 'state' | 'readOnly'>): string {
  return readOnly ? `${state}, read-only` : state;
}

/** Only what the hub shows the caller, who may see some of its projects and not others. */
function attachedText({ attachments, attachmentsTotal }: BrokerDto): string | undefined {
  if (attachments.length === 0) return undefined;
  const named = attachments.map((each) => `${each.project.name} (${admissionText(each)})`).join(', ');
  const left = attachmentsTotal - attachments.length;
  return left === 0 ? named : `${named}, and ${left} more`;
}

/** Its name is on the machine too: `fairlead broker rotate-key` prints that of the next. */
function keyText({ key }: BrokerDto, nowMs: number): string | undefined {
  if (key === null) return undefined;
  const next = key.waiting === null ? '' : `; ${key.waiting.thumbprint} waits for its first use`;
  return `${key.thumbprint}, ${age(key.createdAt, nowMs)} old${next}`;
}

function copiesOf({ displacedAt, keyFlaggedAt }: BrokerDto, nowMs: number): string | undefined {
  if (displacedAt === null) return undefined;
  const flagged = keyFlaggedAt === null ? '' : `; its key is flagged since ${age(keyFlaggedAt, nowMs)}`;
  return `${age(displacedAt, nowMs)} ago${flagged}`;
}

function releaseOf(ownership: BrokerDto['ownership'], nowMs: number): string | undefined {
  if (ownership === null || ownership.releasedAt === null) return undefined;
  const { releasedAt, releaseReason } = ownership;
  return `${age(releasedAt, nowMs)} ago${releaseReason === null ? '' : ` (${releaseReason})`}`;
}
