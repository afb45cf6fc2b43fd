import { OPS } from '../../protocol/op.js';
import { ENDED_STATES, LANES, type EndedState, type Lane } from '../dispatch/state.js';
import type { Step, StepObserver, StepRows } from '../dispatch/steps.js';
import { Distribution, SECONDS } from './distribution.js';

/** Steps that are counted as they are; an ending is counted by its outcome. */
export const COUNTED = [
  'accepted',
  'claimed',
  'acked',
  'released',
  'adopted',
  'put_back',
  'retried',
  'cancel_asked',
  'late',
] as const satisfies readonly Step[];
type Counted = (typeof COUNTED)[number];

export const TIMED = [
  'accept_to_claim',
  'claim_to_ack',
  'claim_to_end',
  'ack_to_end',
  'accept_to_end',
] as const;
type Timed = (typeof TIMED)[number];

/** Acks whose ends are waited for. */
export const ACKS_MOST = 65_536;

const ATTEMPTS = [0, 1, 2, 3, 5, 10, 20] as const;

/** What was counted and measured of the commands of one op and lane. */
export type Tally = {
  op: string;
  lane: Lane;
  steps: Record<Counted, number>;
  ended: Record<EndedState, number>;
  seconds: Record<Timed, Distribution>;
  attempts: Distribution;
};

/** Of a row that names an op of a newer release, or one of its broker's own, of which there may be any number. */
const OTHER = 'other';

/** Counts what `Steps` tells. Everything here is plain arithmetic, since every command passes several times. */
export class Tallies implements StepObserver {
  private readonly byOp = new Map<string, Record<Lane, Tally>>();
  private readonly others: Record<Lane, Tally>;
  /** When attempts were acked here that have not ended here yet, oldest first. */
  private readonly acks = new Map<string, { attempt: number; at: number }>();

  /** @param isTraced whether values are to name the traces that they were measured in */
  constructor(private readonly isTraced = false) {
    for (const op of Object.keys(OPS)) this.byOp.set(op, byLane(op));
    this.others = byLane(OTHER);
  }

  readonly accepted = this.counting('accepted');
  readonly released = this.counting('released');
  readonly adopted = this.counting('adopted');
  readonly put_back = this.lettingGo('put_back');
  readonly retried = this.lettingGo('retried');
  readonly cancel_asked = this.counting('cancel_asked');
  readonly late = this.counting('late');

  claimed(this: Tallies, rows: readonly StepRows['claimed'][]): void {
    for (const row of rows) {
      const tally = this.of(row);
      tally.steps.claimed += 1;
      // A later attempt says how long failures took, and not how long a command waits for its turn.
      if (row.attempt === 1 && row.ageS !== null)
        tally.seconds.accept_to_claim.take(row.ageS, this.traceOf(row));
    }
  }

  acked(this: Tallies, rows: readonly StepRows['acked'][]): void {
    const now = performance.now();
    for (const row of rows) {
      const tally = this.of(row);
      tally.steps.acked += 1;
      if (row.claimedAt !== null)
        tally.seconds.claim_to_ack.take((now - row.claimedAt) / 1_000, this.traceOf(row));
      this.keepAck(row, now);
    }
  }

  ended(this: Tallies, rows: readonly StepRows['ended'][]): void {
    const now = performance.now();
    for (const row of rows) {
      const tally = this.of(row);
      tally.ended[row.state] += 1;
      tally.attempts.take(row.attempt);
      const trace = this.traceOf(row);
      tally.seconds.accept_to_end.take(row.ageS, trace);
      if (row.outS !== null) tally.seconds.claim_to_end.take(row.outS, trace);
      const ack = this.acks.get(row.id);
      if (ack === undefined) continue;
      this.acks.delete(row.id);
      // The attempt that ended may have been acked elsewhere, or not at all.
      if (ack.attempt === row.attempt) tally.seconds.ack_to_end.take((now - ack.at) / 1_000, trace);
    }
  }

  all(): Tally[] {
    return [...this.byOp.values(), this.others].flatMap((lanes) => Object.values(lanes));
  }

  /** What ends elsewhere is never asked for again: it makes way for later ones. */
  private keepAck({ id, attempt }: StepRows['acked'], at: number): void {
    this.acks.delete(id);
    this.acks.set(id, { attempt, at });
    if (this.acks.size <= ACKS_MOST) return;
    for (const oldest of this.acks.keys()) {
      this.acks.delete(oldest);
      return;
    }
  }

  private counting(step: Counted) {
    return (rows: readonly { op: string; lane: Lane }[]): void => {
      for (const row of rows) this.of(row).steps[step] += 1;
    };
  }

  /** The attempt is over, and the next one is acked anew. */
  private lettingGo(step: 'put_back' | 'retried') {
    const count = this.counting(step);
    return (rows: readonly { id: string; op: string; lane: Lane }[]): void => {
      count(rows);
      for (const { id } of rows) this.acks.delete(id);
    };
  }

  /** A caller's trace is kept with its command also where this replica exports none: then nobody would find it. */
  private traceOf({ traceparent }: { traceparent: string | null }): string | undefined {
    return this.isTraced ? (traceparent ?? undefined) : undefined;
  }

  private of({ op, lane }: { op: string; lane: Lane }): Tally {
    return (this.byOp.get(op) ?? this.others)[lane];
  }
}

function byLane(op: string): Record<Lane, Tally> {
  return record(LANES, (lane) => ({
    op,
    lane,
    steps: record(COUNTED, () => 0),
    ended: record(ENDED_STATES, () => 0),
    seconds: record(TIMED, () => new Distribution(SECONDS)),
    attempts: new Distribution(ATTEMPTS),
  }));
}

function record<K extends string, V>(keys: readonly K[], value: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<K, V>;
}
