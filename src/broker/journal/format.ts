import type { RootDatabase, RootDatabaseOptionsWithPath } from 'lmdb';

/** How the journal is laid out: JSON as text by dispatch id, and one entry about the journal itself. */
export const JOURNAL_FORMAT = {
  encoding: 'string',
  mapSize: 64 * 1024 * 1024,
  // A put then resolves once it is on disk, and rejects where it could not get there. With an overlapping sync lmdb
  // has a second promise for that, which stays open for ever after a commit that failed.
  overlappingSync: false,
  // Otherwise lmdb makes a promise for each turn that nobody holds, whose rejection would end the process.
  eventTurnBatching: false,
} as const satisfies Partial<RootDatabaseOptionsWithPath>;

/** The one file that LMDB keeps all of it in. */
export const DATA_FILE = 'data.mdb';

/** Sorts before every id. */
export const META_KEY = '!meta';

export type Meta = { journalId: string; lastEpoch: number };

export type Store = RootDatabase<string, string>;

/** What a journal says of itself by its last commit, in pages, and how large one is, in bytes. */
export type Said = {
  /** How many records it has. */
  entryCount: number;
  treeLeafPageCount: number;
  treeBranchPageCount: number;
  /** Of records that are too large for a leaf. */
  overflowPages: number;
  /** The last that ever was in use. */
  lastPageNumber: number;
  pageSize: number;
};

export const saidOf = (store: Store): Said => store.getStats() as Said;

/** What the check of a journal ends with where it is broken. */
export const UNREADABLE = 3;
/** And where all records could be read, though its file is shorter than it says: they are in another one then, beside it. */
export const WRITTEN_ANEW = 4;

/** What it says before it writes that other one: what goes wrong from there on says nothing of what is on record. */
export const ALL_READ = 'all was read';

/** That other one. By a dot in its name lmdb would take it for a file. */
export const anewOf = (path: string): string => `${path}-anew`;
