import { Injectable, Logger } from '@nestjs/common';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import {
  AuditChainRepository,
  type LinkRow,
  type NewLink,
  type UnlinkedRow,
} from './audit-chain.repository.js';
import { FIRST_HASH, linkHashOf, rowHashOf } from './audit-chain.js';

const EVERY_MS = 5_000;
const BATCH = 500;

/**
 * The duty that chains the audit, after the commit of what it tells of: no act waits for it. The order of the chain is the one in
 * which rows were linked, and within a turn the one in which they were written; a row whose transaction commits
 * late is linked late. One replica is at it at a time.
 */
@Injectable()
export class AuditChaining {
  private readonly log = new Logger('auth');
  private readonly loop: Loop;

  constructor(
    loops: Loops,
    private readonly repository: AuditChainRepository,
  ) {
    this.loop = loops.make({
      name: 'audit chain',
      everyMs: EVERY_MS,
      turn: (signal) => this.link(signal),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Links what is committed and not linked yet, a batch at a time. */
  async link(signal?: AbortSignal): Promise<void> {
    if (!(await this.repository.isAnyUnlinked())) return;
    while (signal?.aborted !== true) {
      const head = await this.linkBatch();
      if (head === undefined) return;
      // Where logs are kept elsewhere, this is what the end of the chain can be held against.
      this.log.log({ head: `${head.position}:${head.hash.toString('hex')}` }, 'chained the audit');
    }
  }

  /** Links behind a position, and where they end what has none. */
  async export(
    after: number,
    most: number,
  ): Promise<{ links: LinkRow[]; unlinked: UnlinkedRow[]; hasMore: boolean }> {
    const found = await this.repository.export(after, most + 1);
    const links = found.slice(0, most);
    const hasMore = found.length > links.length;
    return { links, hasMore, unlinked: hasMore ? [] : await this.repository.exportUnlinked(most) };
  }

  /** @returns the new head; undefined where there was nothing to link, or somebody else is at it */
  private async linkBatch(): Promise<NewLink | undefined> {
    return this.repository.onDuty(async (run) => {
      const rows = await this.repository.unlinked(run, BATCH);
      if (rows.length === 0) return undefined;
      const head = await this.repository.head(run);
      let { position, hash } = head ?? { position: 0, hash: FIRST_HASH };
      const links = rows.map((row): NewLink => {
        const rowHash = rowHashOf(row);
        position += 1;
        hash = linkHashOf(hash, position, rowHash);
        return { position, auditId: row.id, rowHash, hash };
      });
      await this.repository.append(run, links);
      return links.at(-1);
    });
  }
}
