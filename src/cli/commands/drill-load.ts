/** Commands for the canaries of a drill, at an even rate: each is repeated under its key until it is accepted. */
import { randomUUID } from 'node:crypto';
import type { DispatchDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import type { Client } from '../api/client.js';
import { NoAnswer, Refused } from '../api/problem.js';
import { ONCE } from '../api/retry.js';
import type { Clock } from '../surroundings.js';

/** What the caller was told of one command, as `fairlead verify --answers` takes it. */
export type DrillAnswer = {
  dispatchId: string;
  idempotencyKey: string;
  state: string;
  submittedAt: string;
  answeredAt: string;
};

/** Ordering keys of each canary: of each one command is asked for at a time, so that its order is promised. */
const KEYS = 2;
const AGAIN_MS = 200;
const GIVE_UP_MS = 60_000;
const LOOK_MS = 500;

export class DrillLoad {
  readonly answers = new Map<string, DrillAnswer[]>();
  /** What was asked for and not accepted at once: answers that were no acceptance, and calls without one. */
  readonly refusals: string[] = [];
  givenUp = 0;
  private readonly over = new AbortController();
  private readonly asking: Promise<void>[] = [];

  constructor(
    private readonly hub: Client,
    private readonly clock: Clock,
    private readonly brokerIds: readonly string[],
    private readonly op: string,
  ) {}

  /** @param ratePerS of all together */
  start(ratePerS: number): void {
    const everyMs = (this.brokerIds.length * KEYS * 1_000) / ratePerS;
    for (const brokerId of this.brokerIds) {
      this.answers.set(brokerId, []);
      for (let key = 0; key < KEYS; key += 1) this.asking.push(this.askOn(brokerId, `key-${key}`, everyMs));
    }
  }

  get accepted(): number {
    return [...this.answers.values()].reduce((count, { length }) => count + length, 0);
  }

  /** Asks for no more. Resolves when what was asked for is accepted or given up. */
  async stop(): Promise<void> {
    this.over.abort();
    await Promise.all(this.asking);
  }

  /** Resolves when the newest commands of all canaries have ended, or the time is up. */
  async settled(withinMs: number): Promise<void> {
    const untilMs = this.clock.nowMs() + withinMs;
    const newest = [...this.answers.values()].flatMap((answers) => answers.slice(-KEYS));
    for (const { dispatchId } of newest) {
      while (this.clock.nowMs() < untilMs) {
        const path = `/dispatches/${dispatchId}`;
        const { endedAt } = await this.hub.ask<DispatchDto>({ method: 'GET', path });
        if (endedAt !== null) break;
        await this.clock.pause(LOOK_MS);
      }
    }
  }

  private async askOn(brokerId: string, key: string, everyMs: number): Promise<void> {
    await this.clock.pause(Math.random() * everyMs, this.over.signal);
    while (!this.over.signal.aborted) {
      const begunMs = this.clock.nowMs();
      await this.ask(brokerId, key);
      await this.clock.pause(Math.max(0, begunMs + everyMs - this.clock.nowMs()), this.over.signal);
    }
  }

  private async ask(brokerId: string, orderingKey: string): Promise<void> {
    const idempotencyKey = randomUUID();
    const submittedAt = new Date().toISOString();
    const body = { op: this.op, args: { note: idempotencyKey }, orderingKey };
    const path = `/brokers/${brokerId}/dispatches`;
    const untilMs = this.clock.nowMs() + GIVE_UP_MS;
    while (this.clock.nowMs() < untilMs) {
      try {
        const ask = { method: 'POST', path, body, idempotencyKey, patience: ONCE } as const;
        const { dispatch } = await this.hub.ask<{ dispatch: DispatchDto }>(ask);
        const { id: dispatchId, state } = dispatch;
        const answeredAt = new Date().toISOString();
        this.answers.get(brokerId)?.push({ dispatchId, idempotencyKey, state, submittedAt, answeredAt });
        return;
      } catch (error) {
        if (!(error instanceof Refused || error instanceof NoAnswer)) throw error;
        this.refusals.push(error instanceof Refused ? error.code : 'no_answer');
      }
      await this.clock.pause(AGAIN_MS);
    }
    this.givenUp += 1;
  }
}
