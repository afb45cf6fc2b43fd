/** Four parts of lower-case hexadecimal digits; no version `ff`, and no id of zeros alone. */
export const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Whether it is a trace context in the form of https://www.w3.org/TR/trace-context/#traceparent-header */
export function isTraceparent(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 64 && TRACEPARENT.test(value);
}
