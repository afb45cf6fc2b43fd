import type { Context } from '@opentelemetry/api';
import type { ReadableSpan, Span, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Losses } from './losses.js';

type Result = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/**
 * Stands before and behind the SDK's own batches, to know what became of each span. It lets in no more than may wait, so
 * that the SDK itself drops none where nobody would see it.
 */
export class Queue implements SpanProcessor {
  private waiting = 0;
  private isGivenUp = false;
  private batches: SpanProcessor | undefined;

  constructor(
    private readonly most: number,
    private readonly losses: Losses,
  ) {}

  /** @param batchesOf the SDK's batches in front of an exporter */
  connect(exporter: SpanExporter, batchesOf: (exporter: SpanExporter) => SpanProcessor): void {
    this.batches = batchesOf({
      export: (spans, done) => exporter.export(spans, (result) => done(this.exported(spans, result))),
      shutdown: () => exporter.shutdown(),
      forceFlush: async () => exporter.forceFlush?.(),
    });
  }

  onStart(span: Span, context: Context): void {
    this.batches?.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    if (this.waiting >= this.most) {
      this.losses.add(1, 'queue_full');
      return;
    }
    this.waiting += 1;
    this.batches?.onEnd(span);
  }

  async forceFlush(): Promise<void> {
    await this.batches?.forceFlush();
  }

  async shutdown(): Promise<void> {
    await this.batches?.shutdown();
  }

  /** What still waits counts as lost: nobody will be there to hear more of it. */
  giveUp(): void {
    if (this.waiting > 0) this.losses.add(this.waiting, 'closed');
    this.isGivenUp = true;
  }

  private exported(spans: readonly ReadableSpan[], result: Result): Result {
    this.waiting -= spans.length;
    // 0 is success; the enumeration lives in a package of which nothing else is needed.
    if (Number(result.code) !== 0 && !this.isGivenUp) this.losses.add(spans.length, reasonOf(result.error));
    return result;
  }
}

/** The code alone: messages hold addresses, and the body of an answer may hold anything. */
function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown';
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string' || typeof code === 'number') return String(code);
  return typeof name === 'string' ? name : 'unknown';
}
