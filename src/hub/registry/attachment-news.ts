import { Injectable, Logger } from '@nestjs/common';
import type { AttachmentNotice } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { ATTACHMENTS_CAPABILITY } from '../../protocol/version.js';
import { Wakes } from '../cluster/wakes.js';
import { Group } from '../lifecycle/group.js';
import { AttachmentRepository, type Affected, type AttachmentRow } from './attachment.repository.js';
import type { Link } from './link.js';
import { Links } from './links.js';
import { meetsFloor, versionOfSoftware } from './version-floor.js';

const READ_MOST = 1_000;

/**
 * Tells brokers how they stand in the projects that they are attached to: all of it in the welcome, and then what has
 * changed. A broker that does not know the frame is not told. Whoever changes something hints to the replica that holds
 * the link, and that one reads the rows; where the hint is lost the broker learns it with the next one, or the next
 * welcome. Nothing depends on its knowing: the hub judges.
 */
@Injectable()
export class AttachmentNews {
  private readonly log = new Logger('registry');
  private readonly told = new WeakMap<Link, Map<string, string>>();
  private readonly readings = new Group<string, true>(async (brokerIds) => {
    await this.look([...new Set(brokerIds)]);
    return brokerIds.map(() => true as const);
  }, READ_MOST);

  constructor(
    private readonly repository: AttachmentRepository,
    private readonly links: Links,
    private readonly wakes: Wakes,
  ) {}

  start(): void {
    this.links.observe({
      opened: (link) => {
        const { attachments } = link.facts;
        if (attachments.length === 0) return;
        this.told.set(link, new Map(attachments.map((notice) => [notice.project, textOf(notice)])));
      },
    });
    this.wakes.subscribe({
      onHint: ({ attached }) => {
        for (const brokerId of attached) this.lookFor(brokerId);
      },
      onResumed: () => {
        for (const { brokerId } of this.links.all()) this.lookFor(brokerId);
      },
    });
  }

  /** What was changed and committed. */
  tell(...changed: readonly (Affected | undefined)[]): void {
    const byOwner = new Map<string, Set<string>>();
    for (const affected of changed) {
      if (affected === undefined || affected.owner === null) continue;
      const brokers = byOwner.get(affected.owner) ?? new Set();
      byOwner.set(affected.owner, brokers.add(affected.brokerId));
    }
    for (const [owner, attached] of byOwner) this.wakes.tell(owner, { attached });
  }

  private lookFor(brokerId: string): void {
    if (this.links.get(brokerId)?.facts.capabilities.includes(ATTACHMENTS_CAPABILITY) !== true) return;
    this.readings.add(brokerId).catch((error: unknown) => {
      this.log.warn({ brokerId, err: error }, 'a broker could not be told of its attachments');
    });
  }

  private async look(brokerIds: string[]): Promise<void> {
    const byBroker = new Map<string, AttachmentRow[]>();
    for (const row of await this.repository.ofBrokers(brokerIds)) {
      byBroker.set(row.brokerId, [...(byBroker.get(row.brokerId) ?? []), row]);
    }
    for (const [brokerId, rows] of byBroker) {
      const link = this.links.get(brokerId);
      if (link !== undefined) this.send(link, rows);
    }
  }

  private send(link: Link, rows: readonly AttachmentRow[]): void {
    // Most brokers are attached to nothing, and are told of nothing.
    const told = this.told.get(link) ?? new Map<string, string>();
    this.told.set(link, told);
    const changed = rows
      // Of what was over before the link began there is nothing to tell.
      .filter(({ projectId, detachedAt }) => detachedAt === null || told.has(projectId))
      .map(noticeOf)
      .filter((notice) => told.get(notice.project) !== textOf(notice));
    for (let from = 0; from < changed.length; from += LIMITS.batch) {
      const attachments = changed.slice(from, from + LIMITS.batch);
      if (!link.send({ t: 'attachment', attachments })) return;
      for (const notice of attachments) told.set(notice.project, textOf(notice));
    }
  }
}

/** Whether the broker is given no new work there; derived each time, never stored. */
export function isReadOnly({ software, floor }: Pick<AttachmentRow, 'software' | 'floor'>): boolean {
  return !meetsFloor(versionOfSoftware(software), floor);
}

function noticeOf(row: AttachmentRow): AttachmentNotice {
  return { project: row.projectId, name: row.projectName, state: row.state, readOnly: isReadOnly(row) };
}

function textOf({ state, readOnly }: AttachmentNotice): string {
  return `${state} ${readOnly}`;
}
