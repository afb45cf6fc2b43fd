/** A line of a program's log as a record for OpenTelemetry. Decides alone: no package, no I/O. */
import { isTraceparent } from '../protocol/traceparent.js';

/** A line has more characters only where somebody has logged what does not belong there: it is not exported, and counted. */
export const LINE_MOST = 32_768;

export type LogLine = {
  /** Milliseconds since 1970. */
  timeMs: number;
  severity: { number: number; text: string };
  body: string;
  attributes: Record<string, unknown>;
  /** The context that the line itself names (W3C). */
  traceparent: string | undefined;
};

/** The levels of the log, and OpenTelemetry's number for each. */
const SEVERITIES: readonly [level: number, number: number, text: string][] = [
  [60, 21, 'fatal'],
  [50, 17, 'error'],
  [40, 13, 'warn'],
  [30, 9, 'info'],
  [20, 5, 'debug'],
  [10, 1, 'trace'],
];

/** By OpenTelemetry's conventions; the rest of an error keeps the names that the log has for it. */
const OF_ERRORS: Readonly<Record<string, string>> = {
  type: 'exception.type',
  message: 'exception.message',
  stack: 'exception.stacktrace',
};

/**
 * Reads a line as it was written: what is exported has passed the log's own lists, and nothing else is looked at.
 *
 * @returns undefined for what is no line of the log
 */
export function readLine(text: string): LogLine | undefined {
  const line = objectIn(text);
  if (line === undefined) return undefined;
  const { level, time, msg, err, traceparent, ...fields } = line;
  const [, number, name] = SEVERITIES.find(([least]) => Number(level) >= least) ?? [0, 1, 'trace'];
  const context = isTraceparent(traceparent) ? traceparent : undefined;
  return {
    timeMs: typeof time === 'number' ? time : Date.now(),
    severity: { number, text: name },
    body: typeof msg === 'string' ? msg : '',
    attributes: {
      ...fields,
      ...(traceparent === undefined || context !== undefined ? {} : { traceparent }),
      ...(err === undefined ? {} : ofError(err)),
    },
    traceparent: context,
  };
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? { ...read } : undefined;
  } catch {
    return undefined;
  }
}

function ofError(err: unknown): Record<string, unknown> {
  if (typeof err !== 'object' || err === null) return { err };
  return Object.fromEntries(
    Object.entries(err).map(([name, value]) => [OF_ERRORS[name] ?? `err.${name}`, value as unknown]),
  );
}
