/** The one place where OpenTelemetry's packages are loaded, and nothing loads it but `openTracer`. */
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type SpanContext,
  type Span as OpenSpan,
  type Tracer as OpenTracer,
} from '@opentelemetry/api';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { isTraceparent } from '../protocol/traceparent.js';
import { Losses } from './losses.js';
import { Queue } from './queue.js';
import type { Protocol, TracingSettings } from './settings.js';
import type { Attributes, Program, Span, SpanEnd, SpanStart, TellLost, Tracer } from './tracer.js';

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
    private readonly queue: Queue,
    private readonly losses: Losses,
  ) {}

  static async open(
    settings: NonNullable<TracingSettings>,
    { name, version, attributes = {} }: Program,
    tellLost: TellLost,
  ): Promise<SdkTracer> {
    const losses = new Losses(tellLost);
    const queue = new Queue(settings.queueMost, losses);
    queue.connect(
      await exporterOf(settings.protocol),
      (exporter) => new BatchSpanProcessor(exporter, { maxQueueSize: settings.queueMost }),
    );
    const own = resourceFromAttributes({ 'service.name': name, 'service.version': version, ...attributes });
    const told = detectResources({ detectors: [envDetector] });
    const resource = defaultResource().merge(own).merge(told);
    const provider = new BasicTracerProvider({ resource, spanProcessors: [queue] });
    return new SdkTracer(provider, provider.getTracer('fairlead', version), queue, losses);
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
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    // What could not be exported is counted where it failed.
    await Promise.race([this.provider.shutdown().catch(() => undefined), late]);
    clearTimeout(timer);
    this.queue.giveUp();
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

function contextOf(parent: string | undefined): Context {
  if (!isTraceparent(parent)) return ROOT_CONTEXT;
  const [, traceId = '', spanId = '', flags = '00'] = parent.split('-');
  const traceFlags = parseInt(flags, 16) & 1;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`;
}

function known(attributes: Attributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
