import { existsSync, readFileSync } from 'node:fs';

const LOOK_MS = 10;

/** The file to which each launch of the agent adds a line, before anything else: its own account of what was done. */
export class Witness {
  private readonly seen: string[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(readonly path: string) {
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** What was written, a line for each launch. */
  starts(): string[] {
    if (!existsSync(this.path)) return [];
    return readFileSync(this.path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  }

  /** When each line was first seen, within 10 ms. */
  seenAt(): string[] {
    this.look();
    return [...this.seen];
  }

  end(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const count = this.starts().length;
    while (this.seen.length < count) this.seen.push(new Date().toISOString());
  }
}
