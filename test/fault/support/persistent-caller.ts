import { randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import type { Api } from '../../support/api.js';

/** What a caller reads of a dispatch. */
export type Told = {
  id: string;
  state: string;
  attempt: number;
  endedAt: string | null;
  result: unknown;
  error: unknown;
};

/**
 * A program that wants one thing done: it asks under one Idempotency-Key, and asks again, at the next replica, until
 * it is told how the command ended.
 */
export class PersistentCaller {
  /** Every id that it was told. */
  readonly ids = new Set<string>();
  private readonly key = randomUUID();
  private isOver = false;

  constructor(private readonly apis: readonly Api[]) {}

  /** @throws where a replica refuses what it is asked for */
  async ask(path: string): Promise<Told> {
    for (let tries = 0; !this.isOver; tries += 1) {
      const answer = await this.try(path, tries);
      if (answer !== undefined && answer.status !== 503) {
        const told: Told | undefined = answer.body.dispatch;
        if (told === undefined) throw new Error(`refused: ${JSON.stringify(answer.body)}`);
        this.ids.add(told.id);
        if (told.endedAt !== null) return told;
      }
      await rest(100);
    }
    throw new Error('gave up');
  }

  stop(): void {
    this.isOver = true;
  }

  /** @returns undefined where nobody listens, or the connection broke */
  private async try(path: string, tries: number) {
    const headers = { prefer: 'wait=60', 'idempotency-key': this.key };
    const api = this.apis[tries % this.apis.length];
    return api?.post(path, undefined, headers).catch(() => undefined);
  }
}
