import { randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import { Arrivals, BULK_KEYS, type Command } from './arrivals.js';
import { AGAIN_MS, IN_DOUBT, restOf, type Caller, type Dispatch, type Told } from './caller.js';
import { Certainty } from './certainty.js';
import type { Orders } from './client-program.js';
import { EFFECT_OP } from './effect-op.js';
import type { Answer } from './record.js';
import { UNASKED } from './restraint.js';

const EVERY_MS = 250;
const MOST = 1_000;
const ANSWER_WITHIN_MS = 15_000;

type Item = {
  command: Command;
  key: string;
  tries: number;
  askedMs: number | null;
  acceptedMs: number | null;
  certainty: Certainty;
};
type Batch = { key: string; body: string; items: Item[]; submittedAt: string };
type Outcome = {
  dispatch: Dispatch | null;
  problem: { code: string; status: number } | null;
};

/**
 * The commands of a client that are given many in one request. A request is repeated under its Idempotency-Key until each
 * of its commands was taken: those that were are told again what they were told first.
 */
export class Bulk {
  accepted = 0;
  private readonly arrivals: Arrivals | undefined;
  private next: Command | undefined;
  private toldMs = 0;
  private readonly batches = new Set<Promise<void>>();
  private unanswered = 0;

  constructor(
    private readonly caller: Caller,
    private readonly orders: Orders,
    private readonly goesOn: () => boolean,
  ) {
    if (orders.bulkPerS === 0) return;
    this.arrivals = new Arrivals(orders.seed, orders, orders.bulkPerS, BULK_KEYS);
    this.next = this.arrivals.next();
  }

  get asking(): number {
    return this.unanswered;
  }

  /** Gives what has become due, now and then. */
  begin(nowMs: number): void {
    if (this.arrivals === undefined || nowMs - this.toldMs < EVERY_MS) return;
    this.toldMs = nowMs;
    for (;;) {
      const due: Command[] = [];
      for (
        ;
        this.next !== undefined && this.next.dueMs <= nowMs && due.length < MOST;
        this.next = this.arrivals.next()
      )
        due.push(this.next);
      if (due.length === 0) return;
      const given = this.give(batchOf(due)).finally(() => this.batches.delete(given));
      this.batches.add(given);
    }
  }

  async done(): Promise<void> {
    await Promise.all(this.batches);
  }

  private async give(batch: Batch): Promise<void> {
    const { items } = batch;
    this.unanswered += items.length;
    for (let again = AGAIN_MS.least; this.goesOn(); again = Math.min(again * 2, AGAIN_MS.most)) {
      const askedMs = Date.now();
      const answer = await this.caller.call(askOf(batch));
      if (answer === UNASKED) break;
      for (const item of items) {
        if (item.acceptedMs !== null) continue;
        item.tries += 1;
        item.askedMs = askedMs;
      }
      this.hear(batch, answer);
      if (items.every(({ acceptedMs }) => acceptedMs !== null)) break;
      await rest(restOf(again, answer));
    }
    for (const { command, key, tries, askedMs, acceptedMs, certainty } of items) {
      if (acceptedMs === null) {
        this.unanswered -= 1;
        const { state, ...more } = certainty.ending;
        this.tell(batch, key, state, more);
      }
      const { dueMs } = command;
      this.caller.note('calls', {
        idempotencyKey: key,
        dueMs,
        acceptedMs,
        endedMs: null,
        waited: false,
        tries,
        askedMs,
        refusedMs: certainty.refusedMs,
      });
    }
  }

  private hear(batch: Batch, answer: Told | undefined): void {
    const { items } = batch;
    if (answer?.status !== 200) {
      for (const { acceptedMs, certainty } of items) if (acceptedMs === null) certainty.hear(answer);
      return;
    }
    const { status, text, call } = answer;
    const outcomes = (JSON.parse(text) as { items: Outcome[] }).items;
    for (const [place, item] of items.entries()) {
      const { dispatch = null, problem = null } = outcomes[place] ?? {};
      if (dispatch !== null) {
        this.caller.compare(status, dispatch, item.key);
        this.tell(batch, item.key, dispatch.state, { dispatchId: dispatch.id });
        if (item.acceptedMs === null) this.take(item);
      } else if (problem === null) {
        item.certainty.refused(status, 'no outcome');
        this.caller.refused(status, 'no outcome', text);
      } else {
        if (item.acceptedMs === null) item.certainty.refused(problem.status, problem.code);
        if (problem.code === IN_DOUBT) this.caller.note('doubts', { ...call, idempotencyKey: item.key });
        this.caller.refused(problem.status, problem.code, JSON.stringify(problem));
      }
    }
  }

  private take(item: Item): void {
    item.acceptedMs = Date.now() - this.orders.beginsAtMs;
    this.accepted += 1;
    this.unanswered -= 1;
  }

  private tell(
    { submittedAt }: Batch,
    idempotencyKey: string,
    state: string,
    more: Partial<Answer> = {},
  ): void {
    const answeredAt = new Date().toISOString();
    this.caller.note('answers', { idempotencyKey, state, submittedAt, answeredAt, ...more });
  }
}

function batchOf(commands: readonly Command[]): Batch {
  const key = randomUUID();
  // A command of a batch is known by the key of its request and its place.
  const items = commands.map((command, place) => ({
    command,
    key: `${key} ${place}`,
    tries: 0,
    askedMs: null,
    acceptedMs: null,
    certainty: new Certainty(),
  }));
  const body = JSON.stringify({
    items: items.map(({ command: { brokerId, orderingKey, takesMs }, key: note }) => ({
      broker: brokerId,
      op: EFFECT_OP,
      args: { note, orderingKey, turn: null, takesMs },
      orderingKey,
    })),
  });
  return { key, body, items, submittedAt: new Date().toISOString() };
}

function askOf({ key, body }: Batch) {
  return {
    method: 'POST',
    path: '/dispatches/batch',
    body,
    withinMs: ANSWER_WITHIN_MS,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'idempotency-key': key,
    },
  };
}
