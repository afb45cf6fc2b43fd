import { setTimeout as rest } from 'node:timers/promises';

/** More than this is no replica that goes. */
const MISSED_MOST = 100;

/** One call; headers may depend on the replica that it goes to, as those of a page of that replica do. */
export type Wish = {
  method?: string;
  headers?: (url: string) => Record<string, string>;
  body?: unknown;
};

export type Ask = (path: string, wish?: Wish) => Promise<{ headers: Headers; body: any }>;

/**
 * A program that does the same thing again and again, each call at the next replica, and takes no for an answer: nothing that
 * was refused, or broke, is tried again. Where nobody listens the next replica is asked, and that is counted apart.
 */
export class CandidCaller {
  /** How often it has done its thing, whole. */
  done = 0;
  /** How often nobody listened where it came. */
  missed = 0;
  /** What it was told in place of what it asked for. */
  readonly refusals: string[] = [];
  private calls = 0;
  private ending = false;
  private readonly running: Promise<void>;

  constructor(
    private readonly what: string,
    private readonly urls: () => readonly string[],
    private readonly act: (ask: Ask) => Promise<void>,
    private readonly restsForMs: number,
  ) {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.ending = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.ending) {
      try {
        await this.act((path, wish) => this.ask(path, wish));
        this.done += 1;
      } catch (error) {
        this.refusals.push(`${this.what}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await rest(this.restsForMs);
    }
  }

  private async ask(path: string, { method = 'GET', headers, body }: Wish = {}) {
    for (; this.missed <= MISSED_MOST; this.missed += 1) {
      const urls = this.urls();
      const url = urls[this.calls++ % urls.length] ?? '';
      const where = `${method} ${path} at ${url}`;
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          ...headers?.(url),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }).catch((error: unknown) => {
        if (isNobodyThere(error)) return undefined;
        throw new Error(`${where} broke: ${String((error as Error).cause ?? error)}`);
      });
      if (response === undefined) continue;
      const text = await response.text();
      if (!response.ok) throw new Error(`${where} was answered with ${response.status} ${text}`);
      return { headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
    }
    throw new Error('nobody listens anywhere');
  }
}

function isNobodyThere(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } };
  return cause?.code === 'ECONNREFUSED';
}
