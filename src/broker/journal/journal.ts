/**
 * What this broker knows of the hub's commands, on disk: in memory is only how far each one is, since arguments and
 * results may be large, and are kept for a day. A command is in here before anything of it is done, and
 * its ending before anybody is told; so a repeat is answered from here, and what was begun is known after a crash.
 *
 * The journal has an identity of its own. Where it cannot be read it is put aside and a new one begun under another
 * identity, which tells the hub that nobody here knows any more what was begun. Where its file was cut short, and all that is on record
 * can be read, it goes on in a file of its own with its identity.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { open } from 'lmdb';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { PROGRAMS } from '../programs.js';
import {
  ALL_READ,
  anewOf,
  DATA_FILE,
  JOURNAL_FORMAT,
  META_KEY,
  saidOf,
  UNREADABLE,
  WRITTEN_ANEW,
  type Meta,
  type Store,
} from './format.js';
import { confirmedOf, mayBeRetried, type Ending, type JournalRecord } from './record.js';
import { Room } from './room.js';

/** A journal that is large, or on a slow disk, takes its time; only one that is stuck takes longer. */
const CHECK_TIMES = { withinMs: 30_000, perMibMs: 250 };
/** The hub may ask again for as long as this after it has confirmed: its own storage may have lost the end. */
const KEPT_AFTER_CONFIRM_MS = 24 * 3600 * 1000;
/** Pages that commands leave to what must still be written where the disk has become full: ends, links, confirms, and what is forgotten. */
const LEFT_BY_COMMANDS = 256;
/** So many are confirmed or forgotten at once, for which there is room in what is kept ready; and a few, for which there is in what commands leave. */
const AT_ONCE = { many: 100, few: 16 };

/** What ends a reader that touches what a broken file does not hold. */
const CRASHES = new Set<unknown>(['SIGBUS', 'SIGSEGV', 'SIGABRT']);

const run = promisify(execFile);

/** How long the check of a journal may take: by itself, and for what there is to read. */
type CheckTimes = { withinMs: number; perMibMs: number };

/** How far a command is. */
export type Standing = {
  attempt: number;
  hasEnded: boolean;
  /** It failed in a way that may pass: under a newer attempt it is done again. */
  mayBeRetried: boolean;
  /** Its answer is not kept any more: where the hub asks again, it is done again. */
  isBare: boolean;
  confirmedAt: number | null;
  place: number;
};

export class Journal {
  /** On their way to the disk, whole: what is read meanwhile is read from here. */
  private readonly writing = new Map<string, JournalRecord>();
  private lastPlace: number;

  private constructor(
    private readonly store: Store,
    private readonly room: Room,
    private readonly standings: Map<string, Standing>,
    private meta: Meta,
  ) {
    this.lastPlace = 0;
    for (const { place } of standings.values()) this.lastPlace = Math.max(this.lastPlace, place);
  }

  /**
   * @param check the program that tells whether a journal can be read
   * @throws where that program cannot be run, or finds no memory or file to work with, which says nothing about the journal
   */
  static async open(
    path: string,
    log: Logger,
    check: string = PROGRAMS.check,
    times: CheckTimes = CHECK_TIMES,
  ): Promise<Journal> {
    // Written anew, and its process died before it stood in the other one's place.
    if (!existsSync(path) && existsSync(anewOf(path))) await rename(anewOf(path), path);
    await mkdir(path, { recursive: true, mode: 0o700 });
    const found = await checked(path, check, times);
    if (found !== 'sound') {
      const aside = `${path}.broken-${new Date().toISOString().replaceAll(':', '')}`;
      await rename(path, aside);
      if (found === 'written_anew') {
        await rename(anewOf(path), path);
        log.warn(
          { aside },
          'the journal is shorter than it was: all that is on record was read, and written anew',
        );
      } else {
        await mkdir(path, { recursive: true, mode: 0o700 });
        log.error({ aside }, 'the journal cannot be read: it is put aside, and a new one begins');
      }
    }
    const store: Store = open({ path, ...JOURNAL_FORMAT });
    try {
      return await Journal.over(store, path, log);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  private static async over(store: Store, path: string, log: Logger): Promise<Journal> {
    const standings = new Map<string, Standing>();
    let meta: Meta | undefined;
    for (const { key, value } of store.getRange()) {
      if (key === META_KEY) meta = JSON.parse(value) as Meta;
      else standings.set(key, standingOf(recordOf(value)));
    }
    const room = new Room(path, () => saidOf(store));
    const journal = new Journal(store, room, standings, meta ?? { journalId: uuidv7(), lastEpoch: 0 });
    if (meta === undefined) await journal.write([], journal.meta);
    // A broker that is started more often than it prunes must not grow for that. One whose disk is full starts all the same.
    await journal.prune().catch((error: unknown) => {
      log.warn({ err: error }, 'what is old in the journal could not be removed');
    });
    return journal;
  }

  get id(): string {
    return this.meta.journalId;
  }

  /** The newest epoch that this broker was welcomed with. */
  get lastEpoch(): number {
    return this.meta.lastEpoch;
  }

  async keepEpoch(lastEpoch: number): Promise<void> {
    if (lastEpoch <= this.meta.lastEpoch) return;
    this.meta = { ...this.meta, lastEpoch };
    await this.write([], this.meta);
  }

  /** How far a command is, where it is on record. */
  standing(id: string): Standing | undefined {
    return this.standings.get(id);
  }

  /** Read from the disk: not to be asked for many at once. */
  find(id: string): JournalRecord | undefined {
    if (!this.standings.has(id)) return undefined;
    return this.writing.get(id) ?? this.readFromDisk(id);
  }

  /** As `find`, but nothing while a write of it is under way: whoever may be told of it must wait for that. */
  findOnDisk(id: string): JournalRecord | undefined {
    return this.writing.has(id) ? undefined : this.find(id);
  }

  /** Begun and not ended, in the order in which they were begun. */
  unended(): { id: string; attempt: number }[] {
    const placeOf = ({ id }: { id: string }) => this.standings.get(id)?.place ?? 0;
    return this.those(({ hasEnded }) => !hasEnded).sort((a, b) => placeOf(a) - placeOf(b));
  }

  /** Ended, and not confirmed by the hub. */
  unconfirmed(): { id: string; attempt: number }[] {
    return this.those(({ hasEnded, confirmedAt }) => hasEnded && confirmedAt === null);
  }

  /** Takes commands in. Durable when it resolves: only then may they be acked, and anything of them be done. */
  async begin(records: readonly JournalRecord[]): Promise<void> {
    const placed = records.map((record) => ({ ...record, place: (this.lastPlace += 1) }));
    await this.write(placed, undefined, LEFT_BY_COMMANDS);
  }

  /** The hub sent it again: results go out for this attempt from now on. */
  async repeated(id: string, attempt: number): Promise<void> {
    const record = this.find(id);
    if (record !== undefined && attempt > record.attempt) await this.write([{ ...record, attempt }]);
  }

  /**
   * Says of commands without an end that no life has given them to their ops. Only for a broker that gives no more of them to any:
   * what dies without this word may have begun all that it had taken in.
   */
  async leaveUnstarted(ids: readonly string[]): Promise<void> {
    await inParts(ids, async (some) => {
      const records = some.flatMap((id) => {
        const record = this.find(id);
        return record?.ending === null && record.isUnstarted !== true
          ? [{ ...record, isUnstarted: true }]
          : [];
      });
      if (records.length > 0) await this.write(records);
    });
  }

  /** Takes that back. Durable when it resolves: only then may its op be given it. */
  async start(id: string): Promise<void> {
    const record = this.find(id);
    if (record?.ending === null && record.isUnstarted === true)
      await this.write([{ ...record, isUnstarted: false }]);
  }

  /**
   * Durable when it resolves: only then may the hub be told. The first ending stands. The arguments have served:
   * they are large, and may hold secrets.
   */
  async end(id: string, ending: Ending): Promise<void> {
    const record = this.find(id);
    if (record?.ending === null) await this.write([{ ...record, args: {}, ending }]);
  }

  /** The hub has the endings. What was begun and lost is laid to rest by this as well. */
  async confirm(ids: readonly string[]): Promise<void> {
    const confirmedAt = Date.now();
    await inParts(ids, async (some) => {
      const records = some.flatMap((id) => {
        const record = this.find(id);
        return record === undefined ? [] : [confirmedOf(record, confirmedAt)];
      });
      if (records.length > 0) await this.write(records);
    });
  }

  /** Forgets what was confirmed long ago. */
  async prune(now = Date.now()): Promise<void> {
    const old = [...this.standings].filter(
      ([, { confirmedAt }]) => confirmedAt !== null && now - confirmedAt > KEPT_AFTER_CONFIRM_MS,
    );
    await inParts(old, (some) => this.forget(some));
  }

  /** From here on nothing is on record, for whoever still asks. */
  async close(): Promise<void> {
    this.standings.clear();
    await this.store.close();
  }

  /**
   * All of it is on disk when this resolves; others that write meanwhile share the commit. Memory runs ahead of the
   * disk, so that writes of one record build on each other, and goes back where the disk did not follow.
   */
  private async write(records: readonly JournalRecord[], meta?: Meta, left = 0): Promise<void> {
    const entries = records.map((record): [string, string] => [record.id, JSON.stringify(record)]);
    if (meta !== undefined) entries.push([META_KEY, JSON.stringify(meta)]);
    const held = this.hold(
      entries.map(([, text]) => Buffer.byteLength(text)),
      left,
    );
    for (const record of records) {
      this.standings.set(record.id, standingOf(record));
      this.writing.set(record.id, record);
    }
    const failure = await this.settled(
      held,
      entries.map(([key, text]) => this.store.put(key, text)),
    );
    for (const record of records) {
      // A later write of it is under way, and settles this.
      if (this.writing.get(record.id) !== record) continue;
      this.writing.delete(record.id);
      if (failure !== undefined) this.readAgain(record.id);
    }
    if (failure !== undefined) throw failure;
  }

  /** Those of them that stand as they did: what was begun again since, or is begun again meanwhile, is not old any more. */
  private async forget(old: readonly (readonly [id: string, standing: Standing])[]): Promise<void> {
    const asTheyWere = () =>
      old.flatMap(([id, standing]) => (this.standings.get(id) === standing ? [id] : []));
    const ids = asTheyWere();
    if (ids.length === 0) return;
    const held = this.hold(ids.map(() => 0));
    const failure = await this.settled(
      held,
      ids.map((id) => this.store.remove(id)),
    );
    if (failure !== undefined) throw failure;
    for (const id of asTheyWere()) this.standings.delete(id);
  }

  /** @returns why one of them failed, where one did */
  private async settled(held: number, writes: readonly Promise<boolean>[]): Promise<Error | undefined> {
    const ends = await Promise.allSettled(writes.map(committed));
    this.room.letGo(held);
    return ends.find((end) => end.status === 'rejected')?.reason as Error | undefined;
  }

  private hold(sizes: readonly number[], left = 0): number {
    try {
      return this.room.hold(sizes, left);
    } catch (error) {
      throw unwritten(error);
    }
  }

  private readFromDisk(id: string): JournalRecord | undefined {
    const text = this.store.get(id);
    return text === undefined ? undefined : recordOf(text);
  }

  private readAgain(id: string): void {
    const kept = this.readFromDisk(id);
    if (kept === undefined) this.standings.delete(id);
    else this.standings.set(id, standingOf(kept));
  }

  private those(wanted: (standing: Standing) => boolean): { id: string; attempt: number }[] {
    return [...this.standings].flatMap(([id, standing]) =>
      wanted(standing) ? [{ id, attempt: standing.attempt }] : [],
    );
  }
}

/** @throws where there is not even room for a few */
async function inParts<T>(all: readonly T[], write: (some: readonly T[]) => Promise<void>): Promise<void> {
  let atOnce = AT_ONCE.many;
  let from = 0;
  while (from < all.length) {
    try {
      await write(all.slice(from, from + atOnce));
      from += atOnce;
    } catch (error) {
      if (atOnce === AT_ONCE.few) throw error;
      atOnce = AT_ONCE.few;
    }
  }
}

const recordOf = (text: string): JournalRecord => JSON.parse(text) as JournalRecord;

const unwritten = (cause: unknown) => new Error('the journal could not be written', { cause });

function standingOf({ attempt, ending, confirmedAt, isBare = false, place = 0 }: JournalRecord): Standing {
  return {
    attempt,
    hasEnded: ending !== null,
    mayBeRetried: mayBeRetried(ending),
    isBare,
    confirmedAt,
    place,
  };
}

/** A failed commit comes in two promises: the one of each write, and the one that knows the cause. */
async function committed(write: Promise<boolean>): Promise<void> {
  try {
    await write;
  } catch (error) {
    const cause = (error as { commitError?: unknown } | undefined)?.commitError;
    await Promise.resolve(cause).catch((reason: unknown) => {
      throw unwritten(reason);
    });
    throw error;
  }
}

/** In a process of its own: a file that was cut short can take the reader down with it. */
async function checked(
  path: string,
  check: string,
  { withinMs, perMibMs }: CheckTimes,
): Promise<'sound' | 'written_anew' | 'unreadable'> {
  const timeout = Math.ceil(withinMs + perMibMs * (await sizeMib(path)));
  try {
    await run(process.execPath, [check, path], { timeout });
    return 'sound';
  } catch (error) {
    const { code, signal, stdout } = error as { code?: unknown; signal?: unknown; stdout?: unknown };
    if (code === WRITTEN_ANEW) return 'written_anew';
    if (stdout !== ALL_READ && (code === UNREADABLE || CRASHES.has(signal))) return 'unreadable';
    throw new Error(`the journal in ${path} could not be checked`, { cause: error });
  }
}

async function sizeMib(path: string): Promise<number> {
  const file = await stat(join(path, DATA_FILE)).catch(() => undefined);
  return (file?.size ?? 0) / 2 ** 20;
}
