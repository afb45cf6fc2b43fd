import { setTimeout as rest } from 'node:timers/promises';
import type { FaultyLink } from '../support/faulty-proxy.js';
import type { SoakDatabase } from './database.js';

/** How long something took that is promised to be quick; null where it never came. */
export type Timing = { name: string; ms: number | null };

/** A link on which nothing passes any more. */
type Silent = Pick<FaultyLink, 'nearPort' | 'isLeft' | 'isTorn'>;

const DEATH_LOOK_MS = 100;
const LISTEN_LOOK_MS = 50;
const SILENCE_LOOK_MS = 250;
/** Without anything in the way. */
const GIVE_UP_MS = 20_000;
/** However much was in the way. */
const WATCHED_MOST_MS = 300_000;
/** Pings go every 15 s, and a link is let go of after two that nobody answered; programs stand still for 12 s meanwhile, and are late. */
const SILENCE_GIVE_UP_MS = 90_000;
const ID_OF = `
  select id, session_name as "sessionName"
  from hub_replica
  where name = $1 and state <> 'gone'
  order by started_at desc
  limit 1`;

// Whoever has had the database for a while may judge others: without one nobody can notice a death.
const DEATH = `
  select (select extract(epoch from ended_at)::float8 * 1000 from hub_replica where id = $1 and state = 'gone') as "goneAtMs",
         (select count(*) from hub_replica
          where id <> $1 and state <> 'gone' and beating_since < clock_timestamp() - interval '6 seconds'
            and last_seen_at > clock_timestamp() - interval '2 seconds')::int as judges`;

const HEARS = `
  select count(*)::int as hearing
  from pg_stat_activity
  where application_name = $1 || '/listen' and pid <> all ($2::integer[]) and query ilike 'listen %' and state = 'idle'`;

/**
 * Times what is promised to be noticed or healed within a time, from the database's own words. While nobody could keep to it, since
 * the database was away, no other replica was fit to judge, or the replica itself was kept from it, no time passes: it is counted from
 * when the last of that was over.
 */
export class Watch {
  readonly deaths: Timing[] = [];
  readonly listens: Timing[] = [];
  readonly silences: Timing[] = [];
  /** What was never free of what stood in its way, or ended otherwise. */
  unjudgedDeaths = 0;
  unjudgedListens = 0;
  unjudgedSilences = 0;
  private troubles = 0;
  private lastTroubleAt = -Infinity;
  private readonly watching = new Set<Promise<void>>();
  private sleepers = 0;
  private lastSleepAt = -Infinity;
  /** How much keeps each replica from the database, by its name. */
  private readonly hindrances = new Map<string, number>();

  constructor(
    private readonly database: SoakDatabase,
    private readonly say: (line: string) => void,
  ) {}

  /** While the database is out of order for all. */
  async trouble<T>(work: () => Promise<T>): Promise<T> {
    this.troubles += 1;
    try {
      return await work();
    } finally {
      this.troubles -= 1;
      this.lastTroubleAt = performance.now();
    }
  }

  /** While a replica stands still, or cannot reach the database, it can heal nothing. */
  async hinder<T>(name: string, work: () => Promise<T>): Promise<T> {
    const change = (by: number) => this.hindrances.set(name, (this.hindrances.get(name) ?? 0) + by);
    change(1);
    try {
      return await work();
    } finally {
      change(-1);
    }
  }

  /** While the brokers of a process sleep they let go of no link, whichever are theirs. */
  async sleep(work: () => Promise<void>): Promise<void> {
    this.sleepers += 1;
    try {
      await work();
    } finally {
      this.sleepers -= 1;
      this.lastSleepAt = performance.now();
    }
  }

  async find(name: string): Promise<{ id: string; sessionName: string } | undefined> {
    const [row] = await this.database.ask<{ id: string; sessionName: string }>(ID_OF, [name]);
    return row;
  }

  /** A replica was killed, or stopped doing anything, just now. @param id undefined for one that nobody knew as living */
  death(name: string, id: string | undefined): void {
    if (id === undefined) this.unjudgedDeaths += 1;
    else this.keep(this.watchDeath(name, id, Date.now(), performance.now()));
  }

  /**
   * The session by which a replica listens was ended, or went deaf, just now, or what ended it is over just now. It may have begun another
   * by itself meanwhile.
   *
   * @param struck processes of the server that do not count any more
   * @param isGone whether the replica died meanwhile
   */
  deafness(name: string, sessionName: string, struck: readonly number[], isGone: () => boolean): void {
    this.keep(this.watchListen(name, sessionName, struck, performance.now(), isGone));
  }

  /** A link went silent in both directions just now: whoever is at its ends must find that by itself. */
  silence(link: Silent): void {
    this.keep(this.watchSilence(link, performance.now()));
  }

  /** Resolves when nothing is being timed any more. */
  async settled(): Promise<void> {
    await Promise.all(this.watching);
  }

  private keep(work: Promise<void>): void {
    const watched = work.catch(() => undefined).finally(() => this.watching.delete(watched));
    this.watching.add(watched);
  }

  private wasTroubledSince(at: number): boolean {
    return this.troubles > 0 || this.lastTroubleAt > at;
  }

  private async watchDeath(name: string, id: string, diedAtMs: number, from: number): Promise<void> {
    // By the clock of the database, which tells when it was noticed.
    let countsFromMs = diedAtMs;
    for (let lookedAt = from; performance.now() - from < WATCHED_MOST_MS; await rest(DEATH_LOOK_MS)) {
      const [row] = await this.database
        .query<{ goneAtMs: number | null; judges: number }>(DEATH, [id])
        .catch(() => []);
      if (row?.goneAtMs != null) {
        const ms = Math.max(0, Math.round(row.goneAtMs - countsFromMs));
        this.deaths.push({ name, ms });
        this.say(`${name} was noticed to be gone after ${ms} ms${sinceClear(countsFromMs > diedAtMs)}`);
        return;
      }
      if (row === undefined || row.judges === 0 || this.wasTroubledSince(lookedAt)) countsFromMs = Date.now();
      else if (Date.now() - countsFromMs > GIVE_UP_MS) {
        this.deaths.push({ name, ms: null });
        this.say(`${name} was never noticed to be gone`);
        return;
      }
      lookedAt = performance.now();
    }
    this.unjudgedDeaths += 1;
  }

  private async watchSilence(link: Silent, from: number): Promise<void> {
    const name = `the link from ${link.nearPort}`;
    const mayHaveSlept = () => this.sleepers > 0 || this.lastSleepAt > from;
    for (; performance.now() - from < SILENCE_GIVE_UP_MS; await rest(SILENCE_LOOK_MS)) {
      // Another fault may cut it before anybody has found out.
      if (link.isTorn || (link.isLeft && mayHaveSlept())) this.unjudgedSilences += 1;
      else if (link.isLeft) this.silences.push({ name, ms: Math.round(performance.now() - from) });
      else continue;
      return;
    }
    if (mayHaveSlept()) {
      this.unjudgedSilences += 1;
      return;
    }
    this.silences.push({ name, ms: null });
    this.say(`${name} went silent, and one of its ends never found that`);
  }

  private async watchListen(
    name: string,
    sessionName: string,
    struck: readonly number[],
    from: number,
    isGone: () => boolean,
  ): Promise<void> {
    let countsFrom = from;
    for (
      let lookedAt = from;
      performance.now() - from < WATCHED_MOST_MS && !isGone();
      await rest(LISTEN_LOOK_MS)
    ) {
      const [row] = await this.database
        .query<{ hearing: number }>(HEARS, [sessionName, struck])
        .catch(() => []);
      const now = performance.now();
      if (row !== undefined && row.hearing > 0) {
        const ms = Math.round(now - countsFrom);
        this.listens.push({ name, ms });
        this.say(`${name} listens again after ${ms} ms${sinceClear(countsFrom > from)}`);
        return;
      }
      const isHindered = (this.hindrances.get(name) ?? 0) > 0;
      if (row === undefined || isHindered || this.wasTroubledSince(lookedAt)) countsFrom = now;
      else if (now - countsFrom > GIVE_UP_MS) {
        this.listens.push({ name, ms: null });
        this.say(`${name} never listened again`);
        return;
      }
      lookedAt = now;
    }
    this.unjudgedListens += 1;
  }
}

function sinceClear(wasHindered: boolean): string {
  return wasHindered ? ' since nothing was in the way' : '';
}
