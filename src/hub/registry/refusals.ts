import { Injectable, Logger } from '@nestjs/common';
import type { ProblemCode } from '../problems/code.js';
import { asCoded } from '../problems/problem.filter.js';
import type { Transport } from './transport.js';

/** Who stands at the door: by which request, from where, and which broker, once it has proven that. */
export type Visitor = { readonly requestId: string; readonly address: string | null; brokerId?: string };

/** What the door answers with; whatever else there is counts as `other`, so that whoever measures has few to look at. */
export const REFUSALS = [
  'credential_missing',
  'credential_invalid',
  'clock_skew',
  'broker_revoked',
  'not_found',
  'protocol_unsupported',
  'rate_limited',
  'admission_budget_spent',
  'internal',
  'rate_undecided',
  'database_unavailable',
  'draining',
  'replica_fenced',
] as const satisfies readonly ProblemCode[];
export type Refusal = (typeof REFUSALS)[number] | 'other';

/** Of one code so many refusals are told one by one within a span; those beyond are counted, and told with the next. */
const LINES_A_SPAN = 20;
const SPAN_MS = 10_000;
/** What is answered in the course of things: nothing is wrong with the replica, and nothing is to be done. */
const IN_COURSE: ReadonlySet<ProblemCode> = new Set(['draining']);

type Span = { beganAtMs: number; lines: number; leftOut: number };

/**
 * What the door has refused, for the log and for those who measure. Each is told with its code and from where it came; a flood
 * of one code hides no other. Polls are requests, of each of which the log has its line as well.
 */
@Injectable()
export class Refusals {
  /** Since the start. */
  readonly counts = new Map<Refusal, number>([...REFUSALS, 'other' as const].map((code) => [code, 0]));
  private readonly log = new Logger('registry');
  private readonly spans = new Map<ProblemCode, Span>();

  /** Tells of it where nobody was let in. @throws what `enter` throws */
  async watch<T>(transport: Transport, visitor: Visitor, enter: () => Promise<T>): Promise<T> {
    try {
      return await enter();
    } catch (error) {
      this.tell(transport, visitor, error);
      throw error;
    }
  }

  private tell(transport: Transport, { requestId, address, brokerId }: Visitor, error: unknown): void {
    const { code, status } = asCoded(error);
    const counted = REFUSALS.find((each) => each === code) ?? 'other';
    this.counts.set(counted, (this.counts.get(counted) ?? 0) + 1);
    const leftOut = this.place(code);
    if (leftOut === undefined) return;
    const line = {
      requestId,
      code,
      status,
      transport,
      address,
      ...(brokerId === undefined ? {} : { brokerId }),
      ...(leftOut === 0 ? {} : { leftOut }),
    };
    const message = 'a broker was refused at the door';
    if (code === 'internal') this.log.error({ ...line, err: error }, message);
    else if (status >= 500 && !IN_COURSE.has(code)) this.log.warn(line, message);
    else this.log.log(line, message);
  }

  /** @returns how many of this code were left out before; undefined where there is no line left for it */
  private place(code: ProblemCode): number | undefined {
    const now = performance.now();
    let span = this.spans.get(code);
    let leftOut = 0;
    if (span === undefined || now - span.beganAtMs >= SPAN_MS) {
      leftOut = span?.leftOut ?? 0;
      span = { beganAtMs: now, lines: 0, leftOut: 0 };
      this.spans.set(code, span);
    }
    if (span.lines >= LINES_A_SPAN) {
      span.leftOut += 1;
      return undefined;
    }
    span.lines += 1;
    return leftOut;
  }
}
