import { Injectable } from '@nestjs/common';
import type { ProgressItem } from '../../protocol/frame.js';
import { TIMES } from '../../protocol/limits.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { storable } from '../database/jsonb.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from '../registry/link.js';
import { Backlogs } from './backlogs.js';
import { ProgressRepository, type ProgressWord } from './progress.repository.js';

const TICK_MS = 250;
const WRITE_MOST = 500;

type Word = Omit<ProgressWord, 'id'> & { isWritten: boolean; writtenAt: number };

/**
 * Keeps in its row how far a command is, and tells those who wait for its end that something was heard of it. Of each
 * command the latest word waits here, and at most one a second is written, beside the way of acks and results. What
 * is lost with the process the next word brings.
 */
@Injectable()
export class Progress {
  private readonly latest = new Map<string, Word>();
  private readonly changedAgents = new Map<string, Set<string>>();
  private readonly loop: Loop;

  constructor(
    private readonly repository: ProgressRepository,
    private readonly backlogs: Backlogs,
    private readonly replica: Replica,
    private readonly wakes: Wakes,
    loops: Loops,
  ) {
    this.loop = loops.make({ name: 'dispatch progress', everyMs: TICK_MS, turn: () => this.turn() });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Words of a broker. One about what is not out on this very link is nobody's, and costs no statement. */
  took(link: Link, items: readonly ProgressItem[]): void {
    const until = performance.now() - TIMES.progressMs;
    let isDue = false;
    for (const { id, attempt, fraction, note } of items) {
      if (!this.backlogs.isOut(link, id, attempt)) continue;
      const word = this.note(link, { id, attempt, fraction, note: note === null ? null : storable(note) });
      isDue ||= word.writtenAt <= until;
    }
    // What waited before is not walked for each frame: it was woken for, or is written after its second.
    if (isDue) this.loop.wake();
  }

  /** Agents of a broker linked here are not as they were: that is word of the commands that are about them. */
  agentsChanged(agents: readonly { id: string; brokerId: string }[]): void {
    for (const { id, brokerId } of agents) {
      const ids = this.changedAgents.get(brokerId) ?? new Set();
      this.changedAgents.set(brokerId, ids.add(id));
    }
  }

  private note({ brokerId, epoch }: Link, { id, attempt, fraction, note }: ProgressItem): Word {
    const before = this.latest.get(id);
    const isSame = before?.attempt === attempt && !before.isWritten;
    const word: Word = {
      brokerId,
      epoch,
      attempt,
      fraction: fraction ?? (isSame ? before.fraction : null),
      note: note ?? (isSame ? before.note : null),
      isWritten: false,
      writtenAt: before?.writtenAt ?? -Infinity,
    };
    this.latest.set(id, word);
    return word;
  }

  private due(): [string, Word][] {
    const until = performance.now() - TIMES.progressMs;
    return [...this.latest].filter(([, word]) => !word.isWritten && word.writtenAt <= until);
  }

  private async turn(): Promise<void> {
    if (!this.replica.mayAct) return;
    await this.noteAgents();
    const due = this.due();
    for (let from = 0; from < due.length; from += WRITE_MOST)
      await this.write(due.slice(from, from + WRITE_MOST));
    const until = performance.now() - TIMES.progressMs;
    for (const [id, word] of this.latest)
      if (word.isWritten && word.writtenAt <= until) this.latest.delete(id);
  }

  private async write(words: readonly [string, Word][]): Promise<void> {
    const writtenAt = performance.now();
    const rows = await this.repository.note(words.map(([id, word]) => ({ id, ...word })));
    for (const [id, word] of words) {
      // Another word came meanwhile: it is written after its second.
      const current = this.latest.get(id);
      if (current !== undefined) Object.assign(current, { writtenAt, isWritten: current === word });
    }
    this.tell(rows);
  }

  private tell(rows: readonly { id: string; originReplica: string }[]): void {
    const byReplica = new Map([[this.replica.id, new Set<string>()]]);
    for (const { id, originReplica } of rows) {
      byReplica.get(this.replica.id)?.add(id);
      byReplica.set(originReplica, (byReplica.get(originReplica) ?? new Set()).add(id));
    }
    for (const [replicaId, progressed] of byReplica)
      if (progressed.size > 0) this.wakes.tell(replicaId, { progressed });
  }

  private async noteAgents(): Promise<void> {
    for (const [brokerId, agentIds] of [...this.changedAgents]) {
      // What changes from here on is of the next turn: this one may have read its commands already.
      this.changedAgents.delete(brokerId);
      const out = this.backlogs.outOf(brokerId);
      if (out === undefined) continue;
      try {
        const rows = await this.repository.ofAgents(out.ids, [...agentIds]);
        for (const row of rows) this.note(out.link, { ...row, fraction: null, note: null });
      } catch (error) {
        this.agentsChanged([...agentIds].map((id) => ({ id, brokerId })));
        throw error;
      }
    }
  }
}
