import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Program } from './stage.js';

/** The broker that is tried, as a command of the shell; its processes are ended together. */
export class Child implements Program {
  private child: ChildProcess | undefined;

  constructor(
    private readonly command: string,
    private readonly env: NodeJS.ProcessEnv,
    /** Told what it says, line by line as it comes. */
    private readonly onOutput: (text: string) => void,
  ) {}

  get isRunning(): boolean {
    return this.child !== undefined && runs(this.child);
  }

  start(): void {
    this.child = this.spawn();
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.child !== undefined) await ended(this.child, signal);
  }

  startAnother(): () => Promise<void> {
    const other = this.spawn();
    return () => ended(other, 'SIGKILL');
  }

  private spawn(): ChildProcess {
    const child = spawn(this.command, {
      shell: true,
      // A group of its own: the shell may have started more than one process.
      detached: true,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const output of [child.stdout, child.stderr])
      output?.on('data', (text: Buffer) => this.onOutput(text.toString()));
    return child;
  }
}

function runs({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

async function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.pid === undefined || !runs(child)) return;
  const exit = once(child, 'exit');
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // It ended by itself in this moment.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  await exit;
}
