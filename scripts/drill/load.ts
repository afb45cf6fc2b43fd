import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as rest } from 'node:timers/promises';
import type { Caller } from '../demo/caller.js';
import { CANARY_OP } from '../../src/broker/load/canaries.js';

/** What a client was told of one command, as `fairlead verify --answers` takes it. */
export type Answer = {
  dispatchId: string;
  idempotencyKey: string;
  state: string;
  submittedAt: string;
  answeredAt: string;
};

type Told = { status: number; text: string };

const canaryOrder = (note: string): object => ({ op: CANARY_OP, args: { note } });

class ClosedWhileKept extends Error {}

/** Ordering keys of each broker. */
const KEYS = 2;
const ASK_AGAIN_MS = 100;
/** A command that no replica takes for this long, beside the time for which all of them may be away, is given up, and counted. */
const GIVE_UP_MS = 30_000;

type Manner = {
  /** What is to be done, and with what; a canary is given a note that tells the command. */
  orderOf?: (note: string) => object;
  /** For how long the hub may be away by what is done to it. */
  awayMs?: number;
};
const ANSWER_WITHIN_MS = 10_000;
const BACK_LOOK_MS = 500;

/**
 * Commands at an even rate, whatever becomes of those before: each to one broker under one of its keys, and repeated
 * under its Idempotency-Key where it was not taken. Of a key only one is asked for at a time, so that its order is promised.
 */
export class Load {
  readonly answers: Answer[] = [];
  /** Each answer that was no acceptance, and each call without an answer. */
  readonly refusals: string[] = [];
  /** When each command was accepted, on the monotonic clock, and how long that was after it was due. */
  readonly accepted: { atMs: number; tookMs: number }[] = [];
  givenUp = 0;
  /** Commands that were due while each key had one that was not taken yet, and that were never asked for. */
  dropped = 0;
  /** Calls that went out once more since the connection that had been kept for them was just being closed. */
  resent = 0;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 });
  private readonly free: { broker: string; key: string }[];
  private readonly over = new AbortController();
  private readonly asking = new Set<Promise<void>>();
  private running: Promise<void> | undefined;
  private readonly orderOf: (note: string) => object;
  private readonly giveUpMs: number;

  constructor(
    private readonly caller: Caller,
    brokers: readonly string[],
    private readonly ratePerS: number,
    { orderOf = canaryOrder, awayMs = 0 }: Manner = {},
  ) {
    this.orderOf = orderOf;
    this.giveUpMs = GIVE_UP_MS + awayMs;
    const keys = Array.from({ length: KEYS }, (_, place) => `key-${place}`);
    this.free = keys.flatMap((key) => brokers.map((broker) => ({ broker, key })));
  }

  start(): void {
    this.running = this.run();
  }

  /** Resolves when all that was asked for was answered or given up. */
  async stop(): Promise<void> {
    this.over.abort();
    await this.running;
    await Promise.all(this.asking);
    this.agent.destroy();
  }

  /** Milliseconds from when it was due to the acceptance, repeats and rests between included, of what was accepted since a time. */
  latenciesMs(sinceMs = -Infinity): number[] {
    return this.accepted.flatMap(({ atMs, tookMs }) => (atMs >= sinceMs ? [tookMs] : []));
  }

  /** Commands that were accepted within the time before this moment, a second. */
  acceptedPerS(withinMs: number): number {
    return this.latenciesMs(performance.now() - withinMs).length / (withinMs / 1_000);
  }

  /**
   * The milliseconds from a moment until commands are accepted at nine tenths of a rate again; null where they are not within
   * so long of that moment.
   */
  async isBackAt(ratePerS: number, fromMs: number, withinMs: number): Promise<number | null> {
    while (performance.now() - fromMs < withinMs) {
      await rest(BACK_LOOK_MS);
      if (this.acceptedPerS(BACK_LOOK_MS) >= ratePerS * 0.9) return Math.round(performance.now() - fromMs);
    }
    return null;
  }

  private async run(): Promise<void> {
    const begunAt = performance.now();
    for (let due = 0; !this.over.signal.aborted;) {
      const late = ((performance.now() - begunAt) / 1_000) * this.ratePerS;
      for (; due < late; due += 1) this.begin(begunAt + (due * 1_000) / this.ratePerS);
      await rest(10);
    }
  }

  private begin(dueAt: number): void {
    const aim = this.free.shift();
    if (aim === undefined) {
      this.dropped += 1;
      return;
    }
    const asking = this.ask(aim, dueAt).finally(() => {
      this.asking.delete(asking);
      this.free.push(aim);
    });
    this.asking.add(asking);
  }

  private async ask({ broker, key }: { broker: string; key: string }, dueAt: number): Promise<void> {
    const idempotencyKey = randomUUID();
    const submittedAt = new Date().toISOString();
    const begunAt = performance.now();
    const body = JSON.stringify({ ...this.orderOf(idempotencyKey), orderingKey: key });
    while (performance.now() - begunAt < this.giveUpMs) {
      try {
        const { status, text } = await this.postAnew(broker, idempotencyKey, body);
        if (status === 200 || status === 202) {
          const { id: dispatchId, state } = (JSON.parse(text) as { dispatch: { id: string; state: string } })
            .dispatch;
          const atMs = performance.now();
          this.accepted.push({ atMs, tookMs: atMs - dueAt });
          const answeredAt = new Date().toISOString();
          this.answers.push({ dispatchId, idempotencyKey, state, submittedAt, answeredAt });
          return;
        }
        this.refusals.push(`${status} ${text.slice(0, 200)}`);
      } catch (error) {
        this.refusals.push(error instanceof Error ? error.message : String(error));
      }
      await rest(ASK_AGAIN_MS);
    }
    this.givenUp += 1;
  }

  /**
   * A connection that was kept may be closed by its server in the very moment in which a call goes out on it. HTTP clients
   * send what may be repeated on another one then (RFC 9110, 9.2.2), and so does this.
   */
  private async postAnew(broker: string, idempotencyKey: string, body: string): Promise<Told> {
    for (;;) {
      try {
        return await this.post(broker, idempotencyKey, body);
      } catch (error) {
        if (!(error instanceof ClosedWhileKept)) throw error;
        this.resent += 1;
      }
    }
  }

  private post(broker: string, idempotencyKey: string, body: string): Promise<Told> {
    return new Promise((resolve, reject) => {
      const call = request(
        `${this.caller.url}/api/v1/brokers/${broker}/dispatches`,
        {
          method: 'POST',
          agent: this.agent,
          timeout: ANSWER_WITHIN_MS,
          headers: {
            authorization: `Bearer ${this.caller.token}`,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            'idempotency-key': idempotencyKey,
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => (text += part));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
          response.on('error', reject);
        },
      );
      call.on('timeout', () => call.destroy(new Error('no answer in time')));
      call.on('error', (error: NodeJS.ErrnoException) =>
        reject(call.reusedSocket && error.code === 'ECONNRESET' ? new ClosedWhileKept(error.message) : error),
      );
      call.end(body);
    });
  }
}
