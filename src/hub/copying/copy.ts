import type { Run } from '../database/database.js';
import { DirectConnection } from '../database/direct.js';
import { migrate } from '../database/migrate.js';
import { compareMigrations } from '../database/migrations.js';
import { CopyFault } from './copy.errors.js';
import { CopyRepository, type Progress } from './copy.repository.js';
import { SourceLock } from './source-lock.js';
import { countOf, readBatch, sumOf, tablesOf, triggersOf, writeBatch, type Table } from './tables.js';

const BATCH_ROWS = 1_000;
/** A sum over millions of rows takes its time. */
const ANSWER_WITHIN_MS = 3_600_000;
/** The session with the lock is asked for little: where it says nothing for so long, it is lost. */
const LOCK_ANSWERS_WITHIN_MS = 15_000;
/**
 * Text that both servers write alike, statements that take their time, and a lock that is held however long nothing is asked
 * of it.
 */
const SETTINGS = [
  'bytea_output=hex',
  'datestyle=ISO',
  'intervalstyle=postgres',
  'extra_float_digits=1',
  'statement_timeout=0',
  'idle_in_transaction_session_timeout=0',
];

export type CopyOptions = {
  from: string;
  to: string;
  /** Called now and then with what was done. */
  onProgress: (line: string) => void;
  batchRows?: number;
};

/** A copy that is being made, and what keeps its source as it is. */
type Copy = Required<Pick<CopyOptions, 'batchRows' | 'onProgress'>> & {
  source: CopyRepository;
  target: CopyRepository;
  lock: SourceLock;
};

export type Copied = { tables: { name: string; rows: number }[]; rows: number; isResumed: boolean };

/**
 * Copies a hub's database into an empty one, or goes on with a copy that was cut short, and proves that both are alike.
 *
 * @throws CopyFault where it is refused, or where they are not; DatabaseUnavailable
 */
export async function copyDatabase({
  from,
  to,
  onProgress,
  batchRows = BATCH_ROWS,
}: CopyOptions): Promise<Copied> {
  const open: DirectConnection[] = [];
  const connect = (url: string, purpose: string, answerWithinMs = ANSWER_WITHIN_MS): Run => {
    const connection = new DirectConnection({
      url,
      sessionName: 'fairlead-copy',
      purpose,
      settings: SETTINGS,
      answerWithinMs,
    });
    open.push(connection);
    return (statement, values) => connection.run(statement, values);
  };
  try {
    const source = new CopyRepository(connect(from, 'source'));
    const faults = await differencesOf(source);
    if (faults !== undefined) throw new CopyFault('copy_source_schema', `The source ${faults}.`);
    const lock = new SourceLock(new CopyRepository(connect(from, 'lock', LOCK_ANSWERS_WITHIN_MS)));
    await lock.take();
    const target = new CopyRepository(connect(to, 'target'));
    const isResumed = await prepare(source, target, to);
    const tables = await tablesOf(source.run);
    for (const day of await source.days()) await target.makeDay(day);
    const copy = { source, target, lock, batchRows, onProgress };
    for (const table of tables) await copyTable(copy, table);
    for (const { name, lastValue } of await source.sequences()) await target.setSequence(name, lastValue);
    const counts = await verify(copy, tables);
    await transaction(target, async () => {
      for (const table of tables) if (table.hasTriggers) await target.run(triggersOf(table, 'enable'));
      await target.finish();
    });
    return { tables: counts, rows: counts.reduce((sum, { rows }) => sum + rows, 0), isResumed };
  } finally {
    await Promise.all(open.map((connection) => connection.close()));
  }
}

/** @returns whether a copy that was cut short goes on */
async function prepare(source: CopyRepository, target: CopyRepository, to: string): Promise<boolean> {
  const hub = await source.hub();
  if (hub === null) throw new CopyFault('copy_source_schema', 'The source has no identity of a hub.');
  if (await target.catalogue.hasTable('copy_progress')) {
    const [begun] = await target.progress();
    if (begun?.source === hub) return true;
    throw new CopyFault('copy_of_another', 'The target holds a part of another hub.');
  }
  const applied = await target.catalogue.applied();
  if (applied === null || applied.length === 0) await migrate(to);
  const faults = await differencesOf(target);
  if (faults !== undefined) throw new CopyFault('copy_target_schema', `The target ${faults}.`);
  if ((await target.catalogue.which()) === (await source.catalogue.which())) {
    throw new CopyFault('copy_same_database', 'Source and target are one database.');
  }
  const tables = await tablesOf(target.run);
  for (const table of tables) {
    const [row] = await target.run<{ count: number }>(countOf(table));
    // The one row that migrations make: every hub has its own identity, and the copy gets its source's.
    if (table.name !== 'hub_identity' && row?.count !== 0) {
      throw new CopyFault('copy_target_not_empty', `The target has rows in ${table.name}.`);
    }
  }
  await transaction(target, async () => {
    const names = tables.map(({ name }) => name);
    await target.begin(hub, names);
    for (const table of tables) if (table.hasTriggers) await target.run(triggersOf(table, 'disable'));
  });
  return false;
}

/** How the migrations of a database differ from those of this release; undefined where they do not. */
async function differencesOf({ catalogue }: CopyRepository): Promise<string | undefined> {
  const { ahead, behind } = compareMigrations((await catalogue.applied()) ?? []);
  if (ahead.length > 0) return `has migrations of another release: ${ahead.join(', ')}`;
  return behind.length > 0 ? `lacks migrations of this release: ${behind.join(', ')}` : undefined;
}

async function copyTable({ source, target, lock, batchRows, onProgress }: Copy, table: Table): Promise<void> {
  const found = (await target.progress()).find(({ name }) => name === table.name);
  let at: Pick<Progress, 'lastRow' | 'rows' | 'isWhole'> = found ?? {
    lastRow: null,
    rows: 0,
    isWhole: false,
  };
  while (!at.isWhole) {
    await lock.assertHeld();
    const after = at.lastRow;
    const values = after === null ? [batchRows] : [batchRows, after];
    const rows = (await source.run<{ row: string }>(readBatch(table, after === null), values)).map(
      ({ row }) => row,
    );
    const lastRow = rows.at(-1) ?? after;
    const isWhole = rows.length < batchRows;
    await transaction(target, async () => {
      if (rows.length > 0) await target.run(writeBatch(table), [rows]);
      await target.advance(table.name, lastRow, rows.length, isWhole);
    });
    at = { lastRow, rows: at.rows + rows.length, isWhole };
    if (at.rows > 0) onProgress(`${table.name}: ${at.rows} rows`);
  }
}

/** @throws CopyFault naming the tables that are not alike */
async function verify(
  { source, target, lock, onProgress }: Copy,
  tables: readonly Table[],
): Promise<Copied['tables']> {
  const counts: Copied['tables'] = [];
  const unlike: string[] = [];
  for (const table of tables) {
    await lock.assertHeld();
    const [[wanted], [found]] = await Promise.all([
      source.run<{ count: string; hash: string }>(sumOf(table)),
      target.run<{ count: string; hash: string }>(sumOf(table)),
    ]);
    const isAlike = wanted?.count === found?.count && wanted?.hash === found?.hash;
    if (!isAlike) unlike.push(`${table.name} (${wanted?.count} rows, and ${found?.count} in the copy)`);
    counts.push({ name: table.name, rows: Number(found?.count ?? 0) });
  }
  // Where somebody wrote meanwhile, that is what is to be told.
  await lock.assertAlone();
  if (unlike.length > 0) throw new CopyFault('copy_differs', `Not alike: ${unlike.join(', ')}.`);
  onProgress('verified: both hold the same');
  return counts;
}

const BEGIN = { name: 'copy_begin', text: 'begin' };
const COMMIT = { name: 'copy_commit', text: 'commit' };

/** Each connection has one user, who asks one thing at a time. One that fails ends with its connection. */
async function transaction({ run }: CopyRepository, work: () => Promise<void>): Promise<void> {
  await run(BEGIN);
  await work();
  await run(COMMIT);
}
