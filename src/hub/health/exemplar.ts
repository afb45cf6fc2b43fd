/** One value of a bucket, and the trace in which it was measured, as prom-client prints it. */
export type Exemplar = {
  readonly labelSet: { readonly trace_id: string; readonly span_id: string };
  readonly value: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
};

const SAMPLED = 1;

/**
 * @param traceparent the context that the value was measured in (W3C)
 * @returns undefined where that is left out of the sample: nobody would find its trace
 */
export function exemplarOf(traceparent: string, value: number): Exemplar | undefined {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  if ((parseInt(flags, 16) & SAMPLED) === 0) return undefined;
  return { labelSet: { trace_id: traceId, span_id: spanId }, value, timestamp: Date.now() / 1_000 };
}
