import { setTimeout as rest } from 'node:timers/promises';

const LOOK_MS = 200;
const ANSWER_WITHIN_MS = 1_000;

/** Knows which replicas are ready, as a balancer does, and gives them in turn. */
export class Balancer {
  private readonly urls = new Set<string>();
  private ready: string[] = [];
  private turn = 0;
  private readonly over = new AbortController();
  private readonly looking: Promise<void>;

  constructor() {
    this.looking = this.look();
  }

  /** A replica that has said that it is ready. */
  add(url: string): void {
    this.urls.add(url);
    this.ready.push(url);
  }

  /** One that is known to be dead; one that leaves in peace is seen to be unready. */
  remove(url: string): void {
    this.urls.delete(url);
    this.ready = this.ready.filter((each) => each !== url);
  }

  get count(): number {
    return this.ready.length;
  }

  /** @throws Error where none is ready */
  next(): string {
    const url = this.ready[(this.turn += 1) % Math.max(1, this.ready.length)];
    if (url === undefined) throw new Error('no replica is ready');
    return url;
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.looking;
  }

  private async look(): Promise<void> {
    while (!this.over.signal.aborted) {
      await rest(LOOK_MS, undefined, { signal: this.over.signal }).catch(() => undefined);
      const urls = [...this.urls];
      const found = await Promise.all(urls.map(isReady));
      this.ready = urls.filter((url, place) => found[place] === true && this.urls.has(url));
    }
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })).ok;
  } catch {
    return false;
  }
}
