import type { Context } from '@opentelemetry/api';
import type { ReadableSpan, Span, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Waiting } from './waiting.js';

/** Stands before and behind the SDK's own batches, to know what became of each span. */
export class Queue implements SpanProcessor {
  private batches: SpanProcessor | undefined;

  constructor(private readonly waiting: Waiting) {}

  /** @param batchesOf the SDK's batches in front of an exporter */
  connect(exporter: SpanExporter, batchesOf: (exporter: SpanExporter) => SpanProcessor): void {
    this.batches = batchesOf({
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          this.waiting.exported(spans.length, result);
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
      forceFlush: async () => exporter.forceFlush?.(),
    });
  }

  onStart(span: Span, context: Context): void {
    this.batches?.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    if (this.waiting.admit()) this.batches?.onEnd(span);
  }

  async forceFlush(): Promise<void> {
    await this.batches?.forceFlush();
  }

  async shutdown(): Promise<void> {
    await this.batches?.shutdown();
  }
}
