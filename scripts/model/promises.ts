/** What must hold in every world that can be reached. */
import { hasEnded } from '../../src/hub/dispatch/state.js';
import type { Scope, World } from './world.js';

export type Promised = { name: string; isKept: (world: World, scope: Scope) => boolean };

export const PROMISES: readonly Promised[] = [
  {
    name: 'one ending',
    isKept: ({ rows }) => rows.every((row) => row.endings <= 1),
  },
  {
    name: 'no effect twice',
    isKept: ({ effects }, { isRepeatable }) => isRepeatable || effects.every((count) => count <= 1),
  },
  {
    name: 'an ending tells what was done',
    isKept: ({ rows, effects }, { isRepeatable }) =>
      rows.every((row, command) => {
        if (row.ending === null || row.ending === 'unknown') return true;
        const wasDone = (effects[command] ?? 0) > 0;
        return row.ending === 'succeeded' ? wasDone : isRepeatable || !wasDone;
      }),
  },
  {
    name: 'pending is out with nobody',
    isKept: ({ rows, entries }) =>
      rows.every((row, command) => row.state !== 'pending' || entries[command]?.isExecuting !== true),
  },
  {
    name: 'confirmed is on record',
    isKept: ({ rows, entries }) =>
      entries.every((entry, command) => {
        const row = rows[command];
        if (!entry?.isConfirmed || row === undefined || row.attempt !== entry.attempt) return true;
        return row.state === 'pending' || hasEnded(row.state);
      }),
  },
];

/** Judged where an effect comes about: every earlier command of the key has ended, and none later had one. */
export const ORDER = 'order of each key';

/** Judged where a command is claimed: nobody gave it up before, and its deadline has not passed. */
export const NO_MORE = 'given up or overdue goes out no more';

/** Judged where a command is claimed: it is bound to no other link. */
export const BOUND = 'what is bound to a link goes out on no other';

/** Judged where an effect comes about. */
export const IN_TIME = 'nothing begins past its deadline';

/** Judged once all worlds are known: from each, every command that was accepted can still end. */
export const PROGRESS = 'all that was accepted can end';

export function isOver({ rows }: World): boolean {
  return rows.every((row) => hasEnded(row.state));
}
