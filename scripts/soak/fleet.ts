import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as rest } from 'node:timers/promises';
import { DATA_FILE } from '../../src/broker/journal/format.js';
import { codeOf } from '../../src/hub/config/error-code.js';
import { Program } from '../support/program.js';
import { writtenLength } from '../support/written-length.js';
import type { SoakCluster } from './cluster.js';
import type { Lost } from './record.js';

const PROGRAM = fileURLToPath(new URL('./broker-program.js', import.meta.url));
const JOINED_WITHIN_MS = 90_000;
/** Brokers with a process of their own; the others share a few. */
const ALONE_MOST = 4;
const TOGETHER_MOST = 25;
/** Whatever its brokers are at, a process that is told to end has time to say goodbye. */
const END_WITHIN_MS = 30_000;

const NAME = 'broker-';
/** What a full disk leaves of room for a journal: hardly two commands at once; what it does is in a file of this life, and finds room. */
const ROOM_LEFT_BYTES = 1152 * 1024;
/** What it says then; first it must be linked. */
const NOTICED = /"msg":"the journal could not be written"|could not be journaled/;
const NOTICED_WITHIN_MS = 15_000;
/** Once a folder was not empty when all in it had been removed; why is not known, and it is tried again. */
const FOR_GOOD = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 };

/** A process, and the brokers in it. */
export type Crew = { names: readonly string[]; program: Program };

/** What a process has lost when it is started again: what its brokers had on record, all but a share of it, and the right time. */
export type Loss = { losesJournal?: boolean; keptOfJournal?: number; clockOffsetMs?: number };

/** How a process is started, where not as usual. */
type Manner = { token?: string; clockOffsetMs?: number | undefined; fileBytesMost?: number };

/** The brokers of a soak, in processes that can be killed and started again in the same folders. */
export class Fleet {
  readonly crews: Crew[] = [];
  readonly brokerIds: string[] = [];
  /** What brokers, and their processes, said last where they ended by themselves, or did not end when they were to. */
  readonly ends: string[] = [];
  /** When brokers lost what they had not written down. */
  readonly losses: Lost[] = [];

  /** How many have each process stand still. */
  private readonly still = new WeakMap<Program, number>();
  /** Of processes that are being ended and started again. */
  private readonly away = new Set<Crew['names']>();

  private constructor(
    readonly folder: string,
    private readonly cluster: SoakCluster,
  ) {}

  static async start(folder: string, cluster: SoakCluster, count: number): Promise<Fleet> {
    const fleet = new Fleet(folder, cluster);
    const token = await cluster.caller.joinToken(count);
    const names = Array.from({ length: count }, (_none, place) => `${NAME}${place + 1}`);
    const crews = crewsOf(names);
    await Promise.all(
      crews.map(async (crew) => {
        const { program } = fleet.launch(crew, { token });
        program.each(/^joined (\S+) (\S+)$/, ([, name = '', id = '']) => {
          // The commands of a seed are the same whichever joins first.
          fleet.brokerIds[names.indexOf(name)] = id;
        });
        await program.line(/^all joined$/, JOINED_WITHIN_MS);
      }),
    );
    return fleet;
  }

  /** Has a process stand still for a while; of several who ask for that at a time, the last to be done lets it go on. */
  async standStill({ program }: Crew, forMs: number): Promise<void> {
    this.still.set(program, (this.still.get(program) ?? 0) + 1);
    program.signal('SIGSTOP');
    await rest(forMs);
    const left = (this.still.get(program) ?? 1) - 1;
    this.still.set(program, left);
    if (left === 0) program.signal('SIGCONT');
  }

  /** Those that are not just being ended, or started. */
  get there(): Crew[] {
    return this.crews.filter(({ names }) => !this.away.has(names));
  }

  /** Those of them that do not stand still. */
  get awake(): Crew[] {
    return this.there.filter(({ program }) => (this.still.get(program) ?? 0) === 0);
  }

  /** Ends a process as whoever upgrades it does, and starts it again after a while. What its ops are at it gives up. */
  async restart(crew: Crew, awayMs: number): Promise<void> {
    await this.ended(
      crew,
      async () => {
        await rest(awayMs);
        await this.startAgain(crew, {});
      },
      () => this.endInPeace(crew.program),
    );
  }

  /** Kills a process, and starts it again after a while. */
  async kill(
    crew: Crew,
    awayMs: number,
    { losesJournal, keptOfJournal, clockOffsetMs }: Loss,
  ): Promise<void> {
    await this.ended(crew, async () => {
      const journals = crew.names.map((name) => this.journalOf(name));
      if (losesJournal === true) await Promise.all(journals.map((path) => rm(path, FOR_GOOD)));
      if (keptOfJournal !== undefined)
        await Promise.all(journals.map((path) => cutShort(path, keptOfJournal)));
      await rest(awayMs);
      await this.startAgain(crew, { clockOffsetMs });
    });
  }

  /**
   * Kills a process, and has it run for a while on a disk on which the journal of its broker finds hardly any room; what it had made
   * ready for itself is taken from it.
   *
   * @returns whether the broker noticed
   */
  async fill(crew: Crew, forMs: number): Promise<boolean> {
    let isNoticed = false;
    const [name = ''] = crew.names;
    await this.ended(crew, async () => {
      const journalBytes = await cutShort(this.journalOf(name), 1);
      const full = await this.startAgain(crew, { fileBytesMost: journalBytes + ROOM_LEFT_BYTES });
      isNoticed = await full.program.line(NOTICED, NOTICED_WITHIN_MS).then(
        () => true,
        () => false,
      );
      await rest(forMs);
      await full.program.end('SIGKILL');
      await this.startAgain(full, {});
    });
    return isNoticed;
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.crews.map(async ({ program }) => {
        if (program.isRunning) await this.endInPeace(program);
      }),
    );
  }

  private async endInPeace(program: Program): Promise<void> {
    await program.end('SIGTERM', END_WITHIN_MS);
    if (program.exitCode !== 0) this.ends.push(`${program.name} did not end well: ${program.lastLines}`);
  }

  /** Whatever it was at is lost that it had not written down. Nobody else strikes it meanwhile. */
  private async ended(
    crew: Crew,
    meanwhile: () => Promise<void>,
    end = () => crew.program.end('SIGKILL'),
  ): Promise<void> {
    const at = new Date().toISOString();
    this.away.add(crew.names);
    try {
      await end();
      await meanwhile();
    } finally {
      this.away.delete(crew.names);
      const until = new Date().toISOString();
      this.losses.push(...crew.names.map((name) => ({ brokerId: this.idOf(name), at, until })));
    }
  }

  private async startAgain(crew: Crew, manner: Manner): Promise<Crew> {
    this.crews.splice(this.crews.indexOf(crew), 1);
    const next = this.launch(crew.names, manner);
    await next.program.line(/^all joined$/, JOINED_WITHIN_MS);
    return next;
  }

  private journalOf(name: string): string {
    return join(this.folder, name, 'journal');
  }

  private idOf(name: string): string {
    return this.brokerIds[Number(name.replace(NAME, '')) - 1] ?? '';
  }

  private launch(names: readonly string[], { token = '', clockOffsetMs, fileBytesMost }: Manner): Crew {
    const [first = ''] = names;
    const program = Program.start(first, {
      script: PROGRAM,
      args: [this.folder, ...names],
      env: { HUB_URL: this.cluster.toBrokers.url, JOIN_TOKEN: token },
      clockOffsetMs,
      fileBytesMost,
      log: join(this.folder, `brokers-of-${first}.log`),
      isLed: true,
      isElsewhere: true,
    });
    program.onCrash((how) => this.ends.push(how));
    program.each(/^over (.*)$/, ([, end = '']) => this.ends.push(end));
    const crew = { names, program };
    this.crews.push(crew);
    return crew;
  }
}

const fileOf = (journal: string) => join(journal, DATA_FILE);

/**
 * Leaves so much of what is written in a journal, and none of the room behind it.
 *
 * @returns how long it is by then, in bytes: 0 where there is none, as of a broker whose journal another fault took away, and which was
 *   ended before it had begun the next
 */
async function cutShort(journal: string, kept: number): Promise<number> {
  try {
    const size = Math.floor((await writtenLength(fileOf(journal))) * kept);
    await truncate(fileOf(journal), size);
    return size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** A few alone, and the others in as few processes as hold them. */
function crewsOf(names: readonly string[]): string[][] {
  const alone = Math.min(ALONE_MOST, Math.floor(names.length / 2));
  const crews = names.slice(0, alone).map((name) => [name]);
  const others = names.slice(alone);
  const processes = Math.max(2, Math.ceil(others.length / TOGETHER_MOST));
  const size = Math.ceil(others.length / processes);
  for (let from = 0; from < others.length; from += size) crews.push(others.slice(from, from + size));
  return crews;
}
