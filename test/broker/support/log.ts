import { PassThrough } from 'node:stream';
import { pino, type Logger } from 'pino';

export type LogLine = { level: number; msg: string; [member: string]: unknown };

export const LEVEL = { info: 30, warn: 40, error: 50, fatal: 60 } as const;

/** A log that the test reads. */
export function readableLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const sink = new PassThrough();
  sink.on('data', (chunk: Buffer) => {
    for (const text of chunk.toString().split('\n').filter(Boolean)) lines.push(JSON.parse(text) as LogLine);
  });
  return { log: pino({ base: {} }, sink), lines };
}
