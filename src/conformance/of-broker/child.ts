import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Program } from './stage.js';

const LOOK_MS = 20;
/** Where nobody collects the dead they are told of as processes still: whose output has ended is waited for no longer. */
const COLLECTED_WITHIN_MS = 2_000;

/** The broker that is tried, as a command of the shell; its processes are ended together. */
export class Child implements Program {
  private group: Group | undefined;

  constructor(
    private readonly command: string,
    private readonly env: NodeJS.ProcessEnv,
    /** Told what it says, line by line as it comes. */
    private readonly onOutput: (text: string) => void,
  ) {}

  start(): void {
    this.group = this.spawn();
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.group?.end(signal);
  }

  startAnother(): () => Promise<void> {
    const other = this.spawn();
    return () => other.end('SIGKILL');
  }

  private spawn(): Group {
    const shell = spawn(this.command, {
      shell: true,
      // A group of its own: the shell may have started more than one process.
      detached: true,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const output of [shell.stdout, shell.stderr])
      output?.on('data', (text: Buffer) => this.onOutput(text.toString()));
    return new Group(shell);
  }
}

/** A shell and all that it started. The broker may outlive it, in the background or by a signal that ends the shell first. */
class Group {
  private readonly shellEnded: Promise<unknown>;
  /** The shell has ended, and nobody holds the output any more. */
  private isSilent = false;
  private isOver = false;

  constructor(private readonly shell: ChildProcess) {
    this.shellEnded = once(shell, 'exit');
    shell.once('close', () => (this.isSilent = true));
  }

  /** Resolves when all of it has ended; from then on its number may be another's, and is not used again. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.isOver) return;
    if (this.tell(signal)) {
      await this.shellEnded;
      const collectedBy = performance.now() + COLLECTED_WITHIN_MS;
      while (this.tell(0) && !(this.isSilent && performance.now() > collectedBy)) await delay(LOOK_MS);
    }
    this.isOver = true;
  }

  /** @returns whether there was anybody to tell */
  private tell(signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
    const { pid } = this.shell;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }
}
