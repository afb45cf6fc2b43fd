import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

const CLOCK_OFFSET = new URL('./clock-offset.js', import.meta.url).href;
const KEPT_LINES = 30;
const CHILDREN = new Set<Child>();

export type ChildOptions = {
  script: string;
  args?: readonly string[];
  env?: Record<string, string>;
  /** By how much its clock is wrong. */
  clockOffsetMs?: number;
  /** Every line that it prints is added to it. */
  log: string;
};

/** One process of a soak, whose lines are kept in a file, and which can be paused. */
export class Child {
  private readonly kept: string[] = [];
  private readonly takers = new Set<(line: string) => void>();
  private readonly file: WriteStream;

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
    log: string,
  ) {
    this.file = createWriteStream(log, { flags: 'a' });
    for (const output of [child.stdout, child.stderr]) {
      if (output !== null) createInterface({ input: output }).on('line', (line) => this.take(line));
    }
    CHILDREN.add(this);
    child.once('exit', (code, signal) => {
      CHILDREN.delete(this);
      this.file.write(`-- ended with ${signal ?? code}\n`);
    });
    child.once('close', () => this.file.end());
  }

  static start(name: string, { script, args = [], env = {}, clockOffsetMs = 0, log }: ChildOptions): Child {
    const isRight = clockOffsetMs === 0;
    const before = isRight ? [] : ['--import', CLOCK_OFFSET];
    const offset = isRight ? {} : { FAULT_CLOCK_OFFSET_MS: String(clockOffsetMs) };
    const child = spawn(process.execPath, [...before, '--enable-source-maps', script, ...args], {
      // Only what is told here: a variable of the user's shell must not reach into it.
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env, ...offset },
      // One that is led by another ends with it, by its standard input.
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => undefined);
    return new Child(name, child, log);
  }

  /** Ends all that are left, at once. */
  static killAll(): void {
    for (const { child } of CHILDREN) child.kill('SIGKILL');
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

  /** Gives it a line on its standard input. */
  give(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  each(pattern: RegExp, take: (match: RegExpExecArray) => void): void {
    this.takers.add((line) => {
      const match = pattern.exec(line);
      if (match !== null) take(match);
    });
  }

  /**
   * The first line to come that matches.
   *
   * @throws Error with the end of the output, where the process ends or the time is up first
   */
  async line(pattern: RegExp, withinMs: number): Promise<RegExpExecArray> {
    return new Promise<RegExpExecArray>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.child.off('exit', ended);
        this.takers.delete(look);
      };
      const fail = (why: string) => {
        settle();
        reject(new Error(`${this.name} ${why}:\n${this.lastLines}`));
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

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal, and resolves when the process has ended; one that does not end in time is killed. */
  async end(signal: NodeJS.Signals, withinMs = 60_000): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    await ended;
    clearTimeout(timer);
  }

  private take(line: string): void {
    this.file.write(`${line}\n`);
    this.kept.push(line);
    if (this.kept.length > KEPT_LINES) this.kept.shift();
    for (const taker of [...this.takers]) taker(line);
  }
}
