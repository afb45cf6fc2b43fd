import { v7 as uuidv7 } from 'uuid';
import type { Message } from '../../../src/protocol/op.js';

/** A script that writes each line it reads to a file. */
export const READS = (witness: string): string =>
  `while IFS= read -r line; do printf '%s\\n' "$line" >> '${witness}'; done`;

export function messageOf(text: string, id = uuidv7()): Message {
  const from = { kind: 'person', id: uuidv7(), name: 'ada' } as const;
  return { id, from, text, sentAt: '2026-01-02T03:04:05.678Z' };
}
