import { ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import { isTraceparent } from '../protocol/traceparent.js';

/** The SDK's context for one of the W3C; of no trace where there is none, or what is none. */
export function contextOf(traceparent: string | undefined): Context {
  if (!isTraceparent(traceparent)) return ROOT_CONTEXT;
  const [, traceId = '', spanId = '', flags = '00'] = traceparent.split('-');
  const traceFlags = parseInt(flags, 16) & 1;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
