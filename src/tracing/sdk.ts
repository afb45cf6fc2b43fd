/** Where OpenTelemetry's packages for spans are loaded, and nothing loads it but `openTracer`. */
import {
  SpanKind,
  SpanStatusCode,
  type SpanContext,
  type Span as OpenSpan,
  type Tracer as OpenTracer,
} from '@opentelemetry/api';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { contextOf } from './context.js';
import { inTime } from './in-time.js';
import { Losses } from './losses.js';
import { Queue } from './queue.js';
import { resourceOf } from './resource.js';
import type { Protocol, TracingSettings } from './settings.js';
import type { Attributes, Program, Span, SpanEnd, SpanStart, TellLost, Tracer } from './tracer.js';
import { Waiting } from './waiting.js';

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** Makes spans and exports them over OTLP. Nothing is registered globally: whoever embeds a broker may trace as well. */
export class SdkTracer implements Tracer {
  private constructor(
    private readonly provider: BasicTracerProvider,
    private readonly tracer: OpenTracer,
    private readonly waiting: Waiting,
    private readonly losses: Losses,
  ) {}

  static async open(
    settings: NonNullable<TracingSettings>,
    program: Program,
    tellLost: TellLost,
  ): Promise<SdkTracer> {
    const losses = new Losses(tellLost);
    const waiting = new Waiting(settings.queueMost, losses);
    const queue = new Queue(waiting);
    queue.connect(
      await exporterOf(settings.protocol),
      (exporter) => new BatchSpanProcessor(exporter, { maxQueueSize: settings.queueMost }),
    );
    const provider = new BasicTracerProvider({ resource: resourceOf(program), spanProcessors: [queue] });
    return new SdkTracer(provider, provider.getTracer('fairlead', program.version), waiting, losses);
  }

  get lost(): number {
    return this.losses.count;
  }

  begin({ name, kind, parent, startMs, attributes }: SpanStart): Span {
    const options = { kind: KINDS[kind], attributes: known(attributes) };
    const timed = startMs === undefined ? options : { ...options, startTime: startMs };
    const span = this.tracer.startSpan(name, timed, contextOf(parent));
    return { traceparent: traceparentOf(span.spanContext()), end: (how) => endSpan(span, how) };
  }

  async close(withinMs: number): Promise<void> {
    await inTime(this.provider.shutdown(), withinMs);
    this.waiting.giveUp();
  }
}

async function exporterOf(protocol: Protocol): Promise<SpanExporter> {
  if (protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
    return new OTLPTraceExporter();
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

function endSpan(span: OpenSpan, { attributes = {}, failure, endMs }: SpanEnd = {}): void {
  span.setAttributes(known(attributes));
  if (failure !== undefined) {
    span.setAttribute('error.type', failure);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end(endMs);
}

function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`;
}

function known(attributes: Attributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
