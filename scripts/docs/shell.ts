import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const LAST_LINES = 15;

/** One block of commands, run by a shell that ends with the first that fails. Its processes are a group of their own. */
export class Shell {
  output = '';
  private readonly child: ChildProcess;
  private readonly closed: Promise<void>;

  constructor(script: string, { cwd, env }: { cwd: string; env: Record<string, string> }) {
    this.child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.closed = new Promise((resolve) => this.child.once('close', () => resolve()));
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get code(): number | string | null {
    return this.child.exitCode ?? this.child.signalCode;
  }

  /** @returns whether it did so in time */
  async ends(withinMs: number): Promise<boolean> {
    const isOver = await until(() => !this.isRunning, withinMs);
    // What it has left running may hold its output open.
    if (isOver) await Promise.race([this.closed, delay(500)]);
    return isOver;
  }

  /** @returns whether its output holds the text in time, and before it ends */
  async says(text: string, withinMs: number): Promise<boolean> {
    await until(() => this.output.includes(text) || !this.isRunning, withinMs);
    return this.output.includes(text);
  }

  /** As Ctrl-C in its terminal would, and by force where that does nothing. @returns whether force was needed */
  async interrupt(withinMs: number): Promise<boolean> {
    this.signal('SIGINT');
    const hasEnded = await this.ends(withinMs);
    if (!hasEnded) this.signal('SIGKILL');
    await this.ends(withinMs);
    return !hasEnded;
  }

  /** The end of what it said, to be put under a fault. */
  get tail(): string {
    const lines = this.output.trimEnd().split('\n').slice(-LAST_LINES);
    return lines.map((line) => `      ${line}`).join('\n');
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch (error) {
      // The group is gone already.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

async function until(isSo: () => boolean, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (!isSo() && performance.now() < end) await delay(20);
  return isSo();
}
