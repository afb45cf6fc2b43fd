import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';

const FAIRLEAD = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const KEPT_LINES = 40;

/** One process of the demo or of a drill. */
export class Program {
  private readonly kept: string[] = [];
  private readonly takers: { pattern: RegExp; take: (match: RegExpExecArray) => void }[] = [];
  private readonly waiting: { pattern: RegExp; found: (match: RegExpExecArray) => void }[] = [];

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    for (const output of [child.stdout, child.stderr]) {
      if (output !== null) createInterface({ input: output }).on('line', (line) => this.take(line));
    }
  }

  /** `fairlead` with these arguments. @param fairlead of another build */
  static start(name: string, args: string[], env: Record<string, string>, fairlead = FAIRLEAD): Program {
    return Program.run(name, fairlead, args, env);
  }

  static run(name: string, script: string, args: string[], env: Record<string, string>): Program {
    const child = spawn(process.execPath, ['--enable-source-maps', script, ...args], {
      // Only what is told here: a variable of the user's shell must not reach into it.
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Program(name, child);
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
    let timer: NodeJS.Timeout | undefined;
    return new Promise<RegExpExecArray>((found, reject) => {
      const fail = (why: string) => () =>
        reject(new Error(`${this.name} ${why}:\n${this.kept.slice(-8).join('\n')}`));
      timer = setTimeout(fail('did not say what was awaited'), withinMs);
      this.child.once('exit', fail('ended'));
      this.waiting.push({ pattern, found });
    }).finally(() => clearTimeout(timer));
  }

  /** Gives every line to come that matches. */
  each(pattern: RegExp, take: (match: RegExpExecArray) => void): void {
    this.takers.push({ pattern, take });
  }

  /** @throws Error with the end of the output, where the program does not end with 0 */
  async succeeded(): Promise<void> {
    if (this.isRunning) await once(this.child, 'exit');
    if (this.child.exitCode !== 0) throw new Error(`${this.name} failed:\n${this.kept.slice(-8).join('\n')}`);
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    await ended;
  }

  private take(line: string): void {
    this.kept.push(line);
    if (this.kept.length > KEPT_LINES) this.kept.shift();
    for (const { pattern, take } of this.takers) {
      const match = pattern.exec(line);
      if (match !== null) take(match);
    }
    for (const { pattern, found } of this.waiting) {
      const match = pattern.exec(line);
      if (match !== null) found(match);
    }
  }
}
