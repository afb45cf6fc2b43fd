import { randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import type { Api } from '../../support/api.js';

/**
 * A program that gives a broker one command after another, each under a key of its own that it repeats until the
 * command is accepted somewhere.
 */
export class Caller {
  /** Ids in the order in which they were accepted. */
  readonly accepted: string[] = [];
  private ending = false;
  private readonly running: Promise<void>;

  constructor(
    private readonly brokerId: string,
    private readonly apis: () => Api[],
    private readonly orderingKey: string,
  ) {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.ending = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.ending) this.accepted.push(await this.ask());
  }

  private async ask(): Promise<string> {
    const key = randomUUID();
    for (let tries = 0; ; tries += 1) {
      const apis = this.apis();
      const api = apis[tries % apis.length];
      try {
        const answer = await api?.ping(this.brokerId, { key, orderingKey: this.orderingKey });
        if (answer !== undefined && answer.status < 300) return answer.body.dispatch.id as string;
      } catch {
        // Nobody listens there at the moment.
      }
      await rest(100);
    }
  }
}
