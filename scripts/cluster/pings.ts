import { randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';

const EVERY_MS = 50;
const ANSWER_WITHIN_MS = 20_000;

/** Commands to brokers in turn, through the one address of the hub; whatever is not taken is counted and said. */
export class Pings {
  taken = 0;
  readonly refusals: string[] = [];
  private readonly over = new AbortController();
  private readonly asking = new Set<Promise<void>>();
  private running: Promise<void> | undefined;

  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly brokers: readonly string[],
  ) {}

  start(): void {
    this.running = this.run();
  }

  /** Resolves when every one was answered. */
  async stop(): Promise<void> {
    this.over.abort();
    await this.running;
    await Promise.all(this.asking);
  }

  private async run(): Promise<void> {
    for (let turn = 0; !this.over.signal.aborted; turn += 1) {
      const asking = this.ask(this.brokers[turn % this.brokers.length] ?? '').finally(() =>
        this.asking.delete(asking),
      );
      this.asking.add(asking);
      await rest(EVERY_MS);
    }
  }

  private async ask(broker: string): Promise<void> {
    try {
      const answer = await fetch(`${this.url}/api/v1/brokers/${broker}/dispatches`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.token}`,
          'content-type': 'application/json',
          'idempotency-key': randomUUID(),
        },
        body: JSON.stringify({ op: 'broker.ping' }),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      const text = await answer.text();
      if (answer.ok) this.taken += 1;
      else this.refusals.push(`${answer.status} ${text.slice(0, 200)}`);
    } catch (error) {
      const { message, cause } = error as Error;
      this.refusals.push(cause instanceof Error ? `${message}: ${cause.message}` : message);
    }
  }
}
