import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const FAIRLEAD = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const CLOCK_OFFSET = new URL('./clock-offset.js', import.meta.url).href;
const KEPT_MEMORY = new URL('./kept-memory.js', import.meta.url).href;
/** A third of the weight of others, where the processors are short (`nice(1)`). */
const NICENESS_ELSEWHERE = 5;
/** In which POSIX has `ulimit -f` count. */
const BLOCK_BYTES = 512;
const KEPT_LINES = 40;
/** Of them, in an error. */
const TOLD_LINES = 8;
const RUNNING = new Set<Program>();

export type ProgramOptions = {
  /** `fairlead` of this build, where nothing else is told. */
  script?: string | undefined;
  args?: readonly string[];
  env?: Record<string, string>;
  /** By how much its clock is wrong. */
  clockOffsetMs?: number | undefined;
  /** The file to which it adds what it keeps in memory, in bytes, each time that it is weighed. */
  keptIn?: string | undefined;
  /** Past which it cannot write a file on: `ulimit -f`, as where a disk is full. */
  fileBytesMost?: number | undefined;
  /** The file to which every line that it prints is added. */
  log?: string | undefined;
  /** Whether it has a standard input, which closes when this process ends. */
  isLed?: boolean;
  /** Whether it would be on another machine, and so is to leave the processors to the others while they want them. */
  isElsewhere?: boolean;
  /** Whether it runs as it is installed: without the maps of its sources, which it would keep of each file that an error names. */
  isAsInstalled?: boolean;
};

type Line = [command: string, ...args: string[]];

/** The process is the same in the end: the shell gives its place to it. */
function limited(line: Line, fileBytesMost: number | undefined): Line {
  if (fileBytesMost === undefined) return line;
  const blocks = String(Math.ceil(fileBytesMost / BLOCK_BYTES));
  return ['/bin/sh', '-c', 'ulimit -f "$0" && exec "$@"', blocks, ...line];
}

/** One process that is the product's, or is beside it, and all that is seen of it from outside. */
export class Program {
  private readonly kept: string[] = [];
  private readonly takers = new Set<(line: string) => void>();
  private wasToEnd = false;

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
    log: string | undefined,
  ) {
    for (const output of [child.stdout, child.stderr]) {
      if (output !== null) createInterface({ input: output }).on('line', (line) => this.take(line));
    }
    RUNNING.add(this);
    child.once('exit', () => RUNNING.delete(this));
    if (log !== undefined) this.keepIn(log);
  }

  static start(
    name: string,
    {
      script = FAIRLEAD,
      args = [],
      env = {},
      clockOffsetMs = 0,
      keptIn,
      fileBytesMost,
      log,
      isLed = false,
      isElsewhere = false,
      isAsInstalled = false,
    }: ProgramOptions,
  ): Program {
    const isRight = clockOffsetMs === 0;
    const before = [
      ...(isRight ? [] : ['--import', CLOCK_OFFSET]),
      ...(keptIn === undefined ? [] : ['--import', KEPT_MEMORY]),
    ];
    const offset = isRight ? {} : { FAULT_CLOCK_OFFSET_MS: String(clockOffsetMs) };
    const kept = keptIn === undefined ? {} : { KEPT_MEMORY_FILE: keptIn };
    const maps = isAsInstalled ? [] : ['--enable-source-maps'];
    const [command, ...line] = limited(
      [process.execPath, ...before, ...maps, script, ...args],
      fileBytesMost,
    );
    const child = spawn(command, line, {
      // Only what is told here: a variable of the user's shell must not reach into it.
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env, ...offset, ...kept },
      stdio: [isLed ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    child.stdin?.on('error', () => undefined);
    if (isElsewhere && child.pid !== undefined) setPriority(child.pid, NICENESS_ELSEWHERE);
    return new Program(name, child, log);
  }

  /** Ends all that are left, at once. */
  static killAll(): void {
    for (const program of RUNNING) {
      program.wasToEnd = true;
      program.child.kill('SIGKILL');
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** The last lines that it printed. */
  get lastLines(): string {
    return this.kept.join('\n');
  }

  /** Has one that was started with `keptIn` collect its garbage, and write down what it keeps. */
  weigh(): void {
    this.child.kill('SIGUSR2');
  }

  /** Gives it a line on its standard input, where it has one. */
  give(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Gives every line to come that matches. */
  each(pattern: RegExp, take: (match: RegExpExecArray) => void): void {
    this.takers.add((line) => {
      const match = pattern.exec(line);
      if (match !== null) take(match);
    });
  }

  /**
   * The first line of output, past or to come, that matches.
   *
   * @throws Error with the end of the output, where the program ends or the time is up first
   */
  async line(pattern: RegExp, withinMs = 60_000): Promise<RegExpExecArray> {
    for (const line of this.kept) {
      const match = pattern.exec(line);
      if (match !== null) return match;
    }
    return new Promise<RegExpExecArray>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.child.off('exit', ended);
        this.takers.delete(look);
      };
      const fail = (why: string) => {
        settle();
        reject(this.failure(why));
      };
      const look = (line: string) => {
        const match = pattern.exec(line);
        if (match === null) return;
        settle();
        resolve(match);
      };
      const ended = () => fail('ended');
      const timer = setTimeout(() => fail('did not say what was awaited'), withinMs);
      this.child.once('exit', ended);
      this.takers.add(look);
    });
  }

  /** @throws Error with the end of the output, where the program does not end with 0 */
  async succeeded(): Promise<void> {
    if (this.isRunning) await once(this.child, 'exit');
    if (this.exitCode !== 0) throw this.failure('failed');
  }

  /** Told how it ended, and what it said last, where nobody had ended it. */
  onCrash(take: (how: string) => void): void {
    this.child.once('close', (code, signal) => {
      if (!this.wasToEnd) take(`${this.name} ended by itself (${signal ?? code}): ${this.lastLines}`);
    });
  }

  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal, and resolves when it has ended. @param withinMs after which it is killed; else it is waited for */
  async end(signal: NodeJS.Signals, withinMs?: number): Promise<void> {
    if (!this.isRunning) return;
    this.wasToEnd = true;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    const timer = withinMs === undefined ? undefined : setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    await ended;
    clearTimeout(timer);
  }

  private keepIn(log: string): void {
    const file = createWriteStream(log, { flags: 'a' });
    this.takers.add((line) => file.write(`${line}\n`));
    this.child.once('exit', (code, signal) => file.write(`-- ended with ${signal ?? code}\n`));
    this.child.once('close', () => file.end());
  }

  private failure(why: string): Error {
    return new Error(`${this.name} ${why}:\n${this.kept.slice(-TOLD_LINES).join('\n')}`);
  }

  private take(line: string): void {
    this.kept.push(line);
    if (this.kept.length > KEPT_LINES) this.kept.shift();
    for (const taker of [...this.takers]) taker(line);
  }
}
