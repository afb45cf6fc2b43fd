/**
 * Spans, as the two programs make them. OpenTelemetry's packages are loaded when a tracer is opened, and never where
 * tracing is off: then there is no tracer, and whoever would make spans does nothing.
 *
 * A tracer never blocks and never fails who uses it. Spans wait in memory, so many at most, for a collector that may be
 * away; what it does not take is lost, counted, and told once a minute.
 */
import type { TracingSettings } from './settings.js';

/** What is known of whoever or whatever a span is about; never what a command was told to do, or its result. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export type SpanKind = 'internal' | 'server' | 'producer' | 'consumer';

export type SpanStart = {
  name: string;
  kind: SpanKind;
  /** The context that it belongs under (W3C `traceparent`); undefined begins a trace. */
  parent: string | undefined;
  /** Milliseconds since 1970; now where left out. */
  startMs?: number;
  attributes: Attributes;
};

export type SpanEnd = {
  attributes?: Attributes;
  /** The code of what went wrong; left out where nothing did. */
  failure?: string | undefined;
  /** Milliseconds since 1970; now where left out. */
  endMs?: number;
};

export type Span = {
  /** The context of what happens within it (W3C). */
  readonly traceparent: string;
  end(how?: SpanEnd): void;
};

export interface Tracer {
  begin(start: SpanStart): Span;
  /** Spans that no collector has taken. */
  readonly lost: number;
  /** Exports what waits, at most for as long as it says. */
  close(withinMs: number): Promise<void>;
}

/** Who exports. A name in OpenTelemetry's own variables comes before this one. */
export type Program = { name: string; version: string; attributes?: Attributes };

/** Told where spans, or records of the log, were lost, at most once a minute. */
export type TellLost = (told: { lost: number; reason: string }) => void;

/** @returns undefined where tracing is off */
export async function openTracer(
  settings: TracingSettings,
  program: Program,
  tellLost: TellLost,
): Promise<Tracer | undefined> {
  if (settings === null) return undefined;
  const { SdkTracer } = await import('./sdk.js');
  return SdkTracer.open(settings, program, tellLost);
}
