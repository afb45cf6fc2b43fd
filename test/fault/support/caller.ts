import { randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import type { Api } from '../../support/api.js';

/** What the caller was told, as `fairlead verify --answers` takes it. */
export type Answer = {
  dispatchId: string;
  idempotencyKey: string;
  state: string;
  submittedAt: string;
  answeredAt: string;
};

/**
 * A program that gives a broker one command after another, each under a key of its own that it repeats until the
 * command is accepted somewhere.
 */
export class Caller {
  /** Ids in the order in which they were accepted. */
  readonly accepted: string[] = [];
  readonly answers: Answer[] = [];
  private ending = false;
  private readonly running: Promise<void>;

  constructor(
    private readonly brokerId: string,
    private readonly apis: () => Api[],
    private readonly orderingKey: string,
    private readonly restsForMs = 0,
  ) {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.ending = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.ending) {
      this.accepted.push(await this.ask());
      if (this.restsForMs > 0) await rest(this.restsForMs);
    }
  }

  private async ask(): Promise<string> {
    const key = randomUUID();
    const submittedAt = new Date().toISOString();
    for (let tries = 0; ; tries += 1) {
      const apis = this.apis();
      const api = apis[tries % apis.length];
      try {
        const answer = await api?.ping(this.brokerId, { key, orderingKey: this.orderingKey });
        if (answer !== undefined && answer.status < 300) {
          const { id: dispatchId, state } = answer.body.dispatch as { id: string; state: string };
          const answeredAt = new Date().toISOString();
          this.answers.push({ dispatchId, idempotencyKey: key, state, submittedAt, answeredAt });
          return dispatchId;
        }
      } catch {
        // Nobody listens there at the moment.
      }
      await rest(100);
    }
  }
}
