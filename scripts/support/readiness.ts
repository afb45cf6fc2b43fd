import { setTimeout as rest } from 'node:timers/promises';

const LOOK_MS = 200;
const ANSWER_WITHIN_MS = 1_000;

/** Asks each replica now and then whether it is ready, for all balancers before it. */
export class Readiness {
  private readonly urls = new Set<string>();
  private ready: string[] = [];
  private readonly over = new AbortController();
  private readonly looking = this.look();

  /** A replica that said itself that it is ready. */
  add(url: string): void {
    this.urls.add(url);
    this.ready.push(url);
  }

  /** One that is known to be dead; one that leaves in peace is seen to be unready. */
  remove(url: string): void {
    this.urls.delete(url);
    this.ready = this.ready.filter((each) => each !== url);
  }

  get readyUrls(): readonly string[] {
    return this.ready;
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.looking;
  }

  private async look(): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      const asked = [...this.urls];
      const found = await Promise.all(asked.map(isReady));
      // One that came meanwhile has just said so itself.
      const isStill = (url: string) => !asked.includes(url) || found[asked.indexOf(url)] === true;
      this.ready = [...this.urls].filter(isStill);
      await rest(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const { ok, body } = await fetch(`${url}/readyz`, { signal });
    await body?.cancel();
    return ok;
  } catch {
    return false;
  }
}
