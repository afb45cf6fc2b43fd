/**
 * One client of a soak, in a process of its own: it gives commands at the times that its seed fixed, and repeats each
 * under its Idempotency-Key until it has an answer. It ends when it is told to, once all that it has asked for is answered.
 *
 *     node client-program.js <folder>     with its orders as one line of JSON on standard input
 */
import { createInterface } from 'node:readline';
import { setTimeout as rest } from 'node:timers/promises';
import { Arrivals, type Command } from './arrivals.js';
import { Bulk } from './bulk.js';
import { AGAIN_MS, Caller, ENDED, restOf, type Ask, type Dispatch } from './caller.js';
import { Certainty } from './certainty.js';
import { EFFECT_OP } from './effect-op.js';
import { Mix } from './mix.js';
import type { Answer, Call } from './record.js';
import { UNASKED } from './restraint.js';

export type Orders = {
  url: string;
  token: string;
  seed: number;
  client: number;
  clients: number;
  brokerIds: string[];
  ratePerS: number;
  /** Commands a second that it gives in batches, beside the others. */
  bulkPerS: number;
  /** Commands a second that need not succeed, beside them. */
  mixPerS: number;
  /** Milliseconds since 1970. */
  beginsAtMs: number;
  /** How long it goes on asking, after it was told to end, for answers that it does not have. */
  graceMs: number;
};

const ANSWER_WITHIN_MS = 10_000;
const WAIT_S = 10;

class Client {
  private readonly tails = new Map<string, Promise<void>>();
  private readonly asking = new Set<Promise<void>>();
  private readonly caller: Caller;
  private readonly bulk: Bulk;
  private readonly mix: Mix;
  /** From then on nothing more is asked. */
  private readonly ended = new AbortController();
  private readonly goesOn = () => !this.ended.signal.aborted;
  private accepted = 0;

  constructor(
    folder: string,
    private readonly orders: Orders,
  ) {
    this.caller = new Caller(orders.url, orders.token, folder, orders.client, this.ended.signal);
    this.bulk = new Bulk(this.caller, orders, this.goesOn);
    this.mix = new Mix(this.caller, orders, this.goesOn);
  }

  async run(isOver: AbortSignal): Promise<void> {
    const { seed, ratePerS, beginsAtMs } = this.orders;
    const arrivals = new Arrivals(seed, this.orders, ratePerS);
    isOver.addEventListener('abort', () => setTimeout(() => this.ended.abort(), this.orders.graceMs));
    let toldAt = Date.now();
    for (let next = arrivals.next(); !isOver.aborted;) {
      const nowMs = Date.now() - beginsAtMs;
      for (; next.dueMs <= nowMs && !isOver.aborted; next = arrivals.next()) this.begin(next);
      this.bulk.begin(nowMs);
      this.mix.begin(nowMs);
      if (Date.now() - toldAt >= 1_000) {
        toldAt = Date.now();
        this.say();
      }
      await rest(5);
    }
    await Promise.all([...this.asking, this.bulk.done(), this.mix.done()]);
    this.caller.close();
    this.say();
    process.stdout.write(`refusals ${JSON.stringify(Object.fromEntries(this.caller.refusals))}\n`);
  }

  private say(): void {
    const { bulk, mix } = this;
    const accepted = this.accepted + bulk.accepted + mix.accepted;
    process.stdout.write(`progress ${accepted} ${this.asking.size + bulk.asking + mix.asking}\n`);
  }

  private begin(command: Command): void {
    const key = `${command.brokerId} ${command.orderingKey}`;
    const accepted = command.turn === null ? this.turnless(command) : this.inTurn(key, command);
    const asking = accepted.finally(() => this.asking.delete(asking));
    this.asking.add(asking);
  }

  /** The one after it is asked for when it was accepted, and needs not wait until it has ended. */
  private async inTurn(key: string, command: Command): Promise<void> {
    const before = this.tails.get(key);
    let give = (): void => undefined;
    this.tails.set(key, new Promise<void>((resolve) => (give = resolve)));
    await before;
    await this.ask(command, give).finally(give);
  }

  private async turnless(command: Command): Promise<void> {
    await this.ask(command, () => undefined);
  }

  private async ask(command: Command, onAccepted: () => void): Promise<void> {
    const { idempotencyKey, dueMs, waits } = command;
    const submittedAt = new Date().toISOString();
    const call: Call = {
      idempotencyKey,
      dueMs,
      acceptedMs: null,
      endedMs: null,
      waited: waits,
      tries: 0,
      askedMs: null,
    };
    const told = (state: string, more: Partial<Answer>) => {
      const answeredAt = new Date().toISOString();
      this.caller.note('answers', { idempotencyKey, state, submittedAt, answeredAt, ...more });
    };
    const certainty = new Certainty();
    for (let again = AGAIN_MS.least; this.goesOn(); again = Math.min(again * 2, AGAIN_MS.most)) {
      const askedMs = Date.now();
      const answer = await this.caller.call(call.acceptedMs === null ? postOf(command) : getOf(command));
      if (answer === UNASKED) break;
      call.tries += 1;
      call.askedMs = askedMs;
      if (call.acceptedMs === null) {
        certainty.hear(answer);
        call.refusedMs = certainty.refusedMs;
      }
      if (answer?.status === 200 || answer?.status === 202) {
        const { dispatch } = JSON.parse(answer.text) as { dispatch: Dispatch };
        const { id: dispatchId, state } = dispatch;
        this.caller.compare(answer.status, dispatch, idempotencyKey);
        told(state, { dispatchId, ...(call.acceptedMs === null ? {} : { readMs: askedMs }) });
        if (call.acceptedMs === null) {
          this.accepted += 1;
          call.acceptedMs = Date.now() - this.orders.beginsAtMs;
          onAccepted();
        }
        if (!waits || ENDED.has(state)) {
          if (ENDED.has(state)) call.endedMs = Date.now() - this.orders.beginsAtMs;
          this.caller.note('calls', call);
          return;
        }
        command.dispatchId = dispatchId;
        again = AGAIN_MS.least;
      }
      await rest(restOf(again, answer));
    }
    // What was accepted has had its answer; only its ending is not known to the client.
    if (call.acceptedMs === null) {
      const { state, ...more } = certainty.ending;
      told(state, more);
    }
    this.caller.note('calls', call);
  }
}

function postOf({ brokerId, orderingKey, turn, takesMs, idempotencyKey, waits }: Command): Ask {
  const args = { note: idempotencyKey, orderingKey, turn, takesMs };
  const body = JSON.stringify({ op: EFFECT_OP, args, orderingKey });
  return {
    method: 'POST',
    path: `/brokers/${brokerId}/dispatches`,
    body,
    withinMs: ANSWER_WITHIN_MS + (waits ? WAIT_S * 1_000 : 0),
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'idempotency-key': idempotencyKey,
      ...(waits ? { prefer: `wait=${WAIT_S}` } : {}),
    },
  };
}

function getOf({ dispatchId = '' }: Command): Ask {
  return {
    method: 'GET',
    path: `/dispatches/${dispatchId}`,
    headers: { prefer: `wait=${WAIT_S}` },
    withinMs: ANSWER_WITHIN_MS + WAIT_S * 1_000,
  };
}

const over = new AbortController();
const input = createInterface({ input: process.stdin });
// One whose leader is gone has nobody to work for.
input.once('close', () => over.abort());
process.once('SIGTERM', () => over.abort());
const [line = ''] = await new Promise<string[]>((resolve) => input.once('line', (text) => resolve([text])));
await new Client(process.argv[2] ?? '.', JSON.parse(line) as Orders).run(over.signal);
process.stdout.write('done\n');
input.close();
process.exit(0);
