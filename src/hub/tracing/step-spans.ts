import { Inject, Injectable } from '@nestjs/common';
import type { SpanKind, Tracer } from '../../tracing/tracer.js';
import { Replica } from '../cluster/replica.js';
import { idTimeMs } from '../dispatch/id-time.js';
import { Steps, type StepObserver, type StepRows } from '../dispatch/steps.js';
import { TRACER } from './tracer.token.js';
import { Ways, type Way } from './ways.js';

type Traced = { id: string; op: string; lane: string; brokerId?: string; attempt: number };

type Part = {
  name: string;
  kind?: SpanKind;
  parent: string;
  of: Traced;
  startMs: number;
  outcome?: string;
  failure?: string | undefined;
};

/** Ends that somebody will want to look into. */
const FAILED: readonly string[] = ['failed', 'dead', 'expired'];

/**
 * The parts of a command's way as spans under its request's, made of the steps that are told anyway: where no span is
 * to be made, nothing is observed. A span is made when its part is over. It tells which command it was, and never what
 * it was to do or what came of it.
 */
@Injectable()
export class StepSpans implements StepObserver {
  private readonly ways = new Ways();
  private claimingSince = 0;

  constructor(
    @Inject(TRACER) private readonly tracer: Tracer | null,
    private readonly replica: Replica,
    steps: Steps,
  ) {
    if (tracer !== null) steps.observe(this);
  }

  /** The id is made when the request has been read, and tells the time of that. */
  readonly accepted = (rows: readonly StepRows['accepted'][]): void => {
    for (const row of rows) {
      const parent = row.initiator.traceparent;
      if (parent === undefined) continue;
      this.part({ name: 'dispatch.accept', parent, of: { ...row, attempt: 0 }, startMs: idTimeMs(row.id) });
    }
  };

  readonly claiming = (): void => {
    this.claimingSince = Date.now();
  };

  /** One that was stored as claimed came in after the latest claim had begun: its own began with it. */
  readonly claimed = (rows: readonly StepRows['claimed'][]): void => {
    for (const of of rows) {
      if (of.traceparent === null) continue;
      const startMs = Math.max(this.claimingSince, idTimeMs(of.id));
      this.part({ name: 'dispatch.claim', parent: of.traceparent, of, startMs });
      const { id, op, lane, attempt, traceparent } = of;
      this.ways.begin({ id, op, lane, attempt, parent: traceparent, claimedMs: Date.now() });
    }
  };

  /** A frame that goes out again has no part of its own before it. */
  readonly sent = (rows: readonly StepRows['sent'][]): void => {
    for (const { id, attempt } of rows) {
      const way = this.ways.of(id, attempt);
      if (way === undefined) continue;
      const startMs = way.sentMs === undefined ? way.claimedMs : Date.now();
      way.sentMs ??= Date.now();
      this.part({ name: 'dispatch.send', kind: 'producer', parent: way.parent, of: way, startMs });
    }
  };

  readonly acked = (rows: readonly StepRows['acked'][]): void => {
    for (const { id, attempt } of rows) {
      const way = this.ways.of(id, attempt);
      if (way !== undefined) way.heldMs ??= Date.now();
    }
  };

  /** It runs on, and an earlier owner knew since when. */
  readonly adopted = (rows: readonly StepRows['adopted'][]): void => {
    for (const { id, op, lane, attempt, traceparent } of rows) {
      const now = Date.now();
      if (traceparent !== null)
        this.ways.begin({ id, op, lane, attempt, parent: traceparent, claimedMs: now, heldMs: now });
    }
  };

  readonly answered = (rows: readonly StepRows['answered'][]): void => {
    for (const { id, attempt } of rows) {
      const way = this.ways.of(id, attempt);
      if (way !== undefined) way.answeredMs ??= Date.now();
    }
  };

  readonly put_back = (rows: readonly StepRows['put_back'][]): void => {
    for (const row of rows) this.over(row, 'put_back');
  };

  readonly retried = (rows: readonly StepRows['retried'][]): void => {
    for (const row of rows) this.over(row, 'retried', 'retried');
  };

  readonly ended = (rows: readonly StepRows['ended'][]): void => {
    for (const row of rows) this.over(row, row.state, FAILED.includes(row.state) ? row.state : undefined);
  };

  /** An attempt came to something: it ran from the broker's ack to its word, and that is written by now. */
  private over(row: Traced & { traceparent: string | null }, outcome: string, failure?: string): void {
    const way = this.ways.end(row.id, row.attempt);
    const { traceparent: parent } = row;
    if (parent === null) return;
    const told = { parent, of: row, outcome, failure };
    const answeredMs = way?.answeredMs ?? Date.now();
    const startMs = runningSince(way);
    if (startMs !== undefined) this.part({ ...told, name: 'dispatch.run', startMs }, answeredMs);
    this.part({ ...told, name: 'dispatch.settle', startMs: answeredMs });
  }

  private part({ name, kind = 'internal', parent, of, startMs, outcome, failure }: Part, endMs = Date.now()) {
    const attributes = {
      'fairlead.dispatch.id': of.id,
      'fairlead.dispatch.op': of.op,
      'fairlead.dispatch.lane': of.lane,
      'fairlead.dispatch.attempt': of.attempt,
      'fairlead.dispatch.outcome': outcome,
      'fairlead.replica.id': this.replica.id,
    };
    this.tracer?.begin({ name, kind, parent, startMs, attributes }).end({ endMs, failure });
  }
}

/** A result that comes without an ack before it is one: the broker had it. */
function runningSince(way: Way | undefined): number | undefined {
  return way?.heldMs ?? (way?.answeredMs === undefined ? undefined : way.sentMs);
}
