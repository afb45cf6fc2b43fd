import type { RootDatabaseOptionsWithPath } from 'lmdb';

/** How the journal is laid out: JSON values by dispatch id, and one entry about the journal itself. */
export const JOURNAL_FORMAT = {
  encoding: 'json',
  mapSize: 64 * 1024 * 1024,
} as const satisfies Partial<RootDatabaseOptionsWithPath>;

/** Sorts before every id. */
export const META_KEY = '!meta';

export type Meta = { journalId: string; lastEpoch: number };
