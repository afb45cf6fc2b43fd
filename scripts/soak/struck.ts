import type { FaultKind } from './schedule.js';

/** A fault as it came about. */
export type Struck = {
  number: number;
  kind: FaultKind;
  atMs: number;
  untilMs: number;
  /** null where there was nothing to strike. */
  struck: string | null;
  error?: string;
};

export function toldOf({ error, struck }: Struck): string {
  return error ?? struck ?? 'there was nothing to strike';
}
