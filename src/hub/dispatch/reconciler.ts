import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { Ownership } from '../registry/ownership.js';
import type { Backlog } from './backlog.js';
import type { Sent } from './sent.js';
import type { Waiting } from './waiting.js';
import { Backlogs } from './backlogs.js';
import { ClaimRepository, type ClaimAnswer } from './claim.repository.js';
import { Contracts } from './contracts.js';
import type { Read } from './reading.js';
import { Sender } from './sender.js';
import { Steps } from './steps.js';

/** Rows claimed in one statement, over all brokers; and of one broker, so that each gets its turn. */
const CLAIM_MOST = 1_024;
const CLAIM_MOST_A_BROKER = 256;
/** Brokers of which one statement reads: each may have a whole batch of rows, with their arguments. */
const READ_BROKERS_MOST = 128;
const TICK_MS = 250;

type Asked = { backlog: Backlog; rows: Waiting[] };
type Due = { backlog: Backlog; read: Read };

/**
 * The owner's half of dispatching: reads ahead, claims, and sends, for all brokers linked to this replica. One
 * claim is in flight at a time. Brokers take turns, so that a slow or busy one holds up no other.
 */
@Injectable()
export class Reconciler {
  private readonly loop: Loop;
  private firstServed = 0;

  constructor(
    private readonly repository: ClaimRepository,
    private readonly backlogs: Backlogs,
    private readonly sender: Sender,
    private readonly contracts: Contracts,
    private readonly ownership: Ownership,
    private readonly replica: Replica,
    private readonly steps: Steps,
    loops: Loops,
  ) {
    this.loop = loops.make({
      name: 'reconcile',
      everyMs: TICK_MS,
      faultCapMs: 1_000,
      turn: (s) => this.turn(s),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Does not wait for the next tick. */
  wake(): void {
    this.loop.wake();
  }

  private async turn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.replica.mayAct) {
      // What could not be read keeps nobody waiting whose commands were.
      const fault = await this.readAhead().then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      await this.sendUnsent();
      const hasSent = await this.claimAndSend();
      if (fault !== undefined) throw fault.error;
      if (hasSent) continue;
      // What made way for a command that could not be claimed after all.
      await this.sendUnsent();
      return;
    }
  }

  /** What was stored as claimed for the links here needs no claim. */
  private async sendUnsent(): Promise<void> {
    const now = performance.now();
    for (const backlog of this.backlogs.behind()) {
      const unsent = backlog.takeUnsent(now);
      this.steps.tell(
        'claimed',
        unsent.filter(({ claimedAt }) => claimedAt !== null),
      );
      if (unsent.length > 0) await this.sender.send(backlog, unsent);
    }
  }

  private async readAhead(): Promise<void> {
    const now = performance.now();
    const behind = this.backlogs.behind();
    for (let from = 0; from < behind.length; from += READ_BROKERS_MOST) {
      const reads = behind.slice(from, from + READ_BROKERS_MOST).flatMap((backlog): Due[] => {
        const read = backlog.isReady ? backlog.nextRead(now) : undefined;
        return read === undefined ? [] : [{ backlog, read }];
      });
      if (reads.length > 0) await this.read(reads, now);
    }
  }

  /** @throws where it fails: then all of it is still due */
  private async read(reads: readonly Due[], now: number): Promise<void> {
    try {
      const rows = await this.repository.readAhead(reads.map(({ read }) => read));
      const byBroker = groupByBroker(rows);
      for (const { backlog, read } of reads) backlog.took(byBroker.get(backlog.brokerId) ?? [], read, now);
    } catch (error) {
      for (const { backlog, read } of reads) backlog.readFailed(read);
      throw error;
    }
  }

  /** @returns whether there may be more to do at once */
  private async claimAndSend(): Promise<boolean> {
    const asked = this.choose();
    if (asked.length === 0) return false;
    const begunAt = performance.now();
    this.steps.claiming();
    const answers = await this.repository.claim(
      this.replica.id,
      asked.map(({ backlog }) => ({ brokerId: backlog.brokerId, epoch: backlog.link.epoch })),
      inOrder(asked),
    );
    const byBroker = new Map(answers.map((answer) => [answer.brokerId, answer]));
    const owned = asked.filter(({ backlog }) => byBroker.get(backlog.brokerId)?.owned === true);
    const outgoing = owned.map((each) => this.taken(each, byBroker.get(each.backlog.brokerId)));
    this.steps.batch(
      'claim',
      answers.reduce((count, { claimed }) => count + claimed.length, 0),
    );
    for (const { backlog, sent } of outgoing) await this.sender.send(backlog, sent);
    await this.contracts.judge(outgoing.flatMap(({ judged }) => judged));
    // Their backlogs go with their links: the broker may have a newer one here by now.
    const displaced = asked.filter((each) => !owned.includes(each)).map(({ backlog }) => backlog.brokerId);
    if (displaced.length > 0) await this.ownership.recheck(displaced);
    this.steps.reconciled(performance.now() - begunAt);
    return outgoing.some(({ sent }) => sent.length > 0);
  }

  /** Notes what a claim gave of one broker's rows, and what it did not; and which of both contracts may have ended. */
  private taken({ backlog, rows }: Asked, answer: ClaimAnswer | undefined) {
    const now = performance.now();
    const sent = (answer?.claimed ?? [])
      .map((claimed) => backlog.claimed(claimed, now))
      .filter((row): row is Sent => row !== undefined);
    this.steps.tell('claimed', sent);
    const taken = new Set(sent.map(({ id }) => id));
    const refused = rows.filter(({ id }) => !taken.has(id));
    for (const row of refused) backlog.refused(row, now);
    const judged = [...refused, ...sent.filter((row) => backlog.replaces(row))].map((row) => ({
      ...row,
      brokerId: backlog.brokerId,
    }));
    return { backlog, sent, judged };
  }

  /** The next rows of each broker, beginning with another broker each time. */
  private choose(): Asked[] {
    const all = this.backlogs.behind();
    const now = performance.now();
    this.firstServed = all.length === 0 ? 0 : (this.firstServed + 1) % all.length;
    const chosen: Asked[] = [];
    let room = CLAIM_MOST;
    for (const backlog of [...all.slice(this.firstServed), ...all.slice(0, this.firstServed)]) {
      if (room === 0) break;
      const rows = backlog.candidates(Math.min(room, CLAIM_MOST_A_BROKER), now);
      if (rows.length > 0) chosen.push({ backlog, rows });
      room -= rows.length;
    }
    return chosen;
  }
}

/** Rows are locked in the order of `seq` everywhere, so that no two statements wait for each other. */
function inOrder(asked: readonly Asked[]): { id: string; brokerId: string; seq: number }[] {
  return asked
    .flatMap(({ backlog: { brokerId }, rows }) => rows.map(({ id, seq }) => ({ id, brokerId, seq })))
    .sort((a, b) => a.seq - b.seq);
}

function groupByBroker<R extends { brokerId: string }>(rows: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    const group = groups.get(row.brokerId);
    if (group === undefined) groups.set(row.brokerId, [row]);
    else group.push(row);
  }
  return groups;
}
