/**
 * One client of a soak, in a process of its own: it gives commands at the times that its seed fixed, and repeats each
 * under its Idempotency-Key until it has an answer. It ends when it is told to, once all that it has asked for is answered.
 *
 *     node client-program.js <folder>     with its orders as one line of JSON on standard input
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as rest } from 'node:timers/promises';
import { Arrivals, type Command } from './arrivals.js';
import { EFFECT_OP } from './effect-op.js';
import type { Answer, Call, Untrue } from './record.js';

export type Orders = {
  url: string;
  token: string;
  seed: number;
  client: number;
  clients: number;
  brokerIds: string[];
  ratePerS: number;
  /** Milliseconds since 1970. */
  beginsAtMs: number;
  /** How long it goes on asking, after it was told to end, for answers that it does not have. */
  graceMs: number;
};

/** @property afterMs how long the hub asks to be left alone */
type Told = { status: number; text: string; afterMs: number };

const SOCKETS_MOST = 512;
const ANSWER_WITHIN_MS = 10_000;
const WAIT_S = 10;
const AGAIN_MS = { least: 100, most: 5_000 };
/** What a hub may honestly say to a command that is right, beside that it took it: not now. */
const NOT_NOW = new Set([429, 503]);
/** Said where a commit's outcome could not be found out. */
const IN_DOUBT = 'outcome_unknown';
const ENDED = new Set(['succeeded', 'failed', 'cancelled', 'expired', 'dead']);

class Client {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MOST });
  private readonly tails = new Map<string, Promise<void>>();
  private readonly asking = new Set<Promise<void>>();
  private readonly refusals = new Map<string, number>();
  private readonly files: Record<'answers' | 'calls' | 'untrue', number>;
  private endsAtMs = Infinity;
  private accepted = 0;

  constructor(
    private readonly folder: string,
    private readonly orders: Orders,
  ) {
    const open = (name: string) => openSync(join(this.folder, `client-${orders.client}.${name}`), 'a');
    this.files = { answers: open('answers'), calls: open('calls'), untrue: open('untrue') };
  }

  async run(isOver: AbortSignal): Promise<void> {
    const { seed, ratePerS, beginsAtMs } = this.orders;
    const arrivals = new Arrivals(seed, this.orders, ratePerS);
    isOver.addEventListener('abort', () => (this.endsAtMs = Date.now() + this.orders.graceMs));
    let toldAt = Date.now();
    for (let next = arrivals.next(); !isOver.aborted;) {
      const nowMs = Date.now() - beginsAtMs;
      for (; next.dueMs <= nowMs && !isOver.aborted; next = arrivals.next()) this.begin(next);
      if (Date.now() - toldAt >= 1_000) {
        toldAt = Date.now();
        this.say();
      }
      await rest(5);
    }
    await Promise.all(this.asking);
    this.agent.destroy();
    for (const file of Object.values(this.files)) closeSync(file);
    this.say();
    process.stdout.write(`refusals ${JSON.stringify(Object.fromEntries(this.refusals))}\n`);
  }

  private say(): void {
    process.stdout.write(`progress ${this.accepted} ${this.asking.size}\n`);
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
    const call: Call = { dueMs, acceptedMs: null, endedMs: null, waited: waits, tries: 0 };
    const told = (state: string, more: Partial<Answer>) => {
      const answeredAt = new Date().toISOString();
      this.note('answers', { idempotencyKey, state, submittedAt, answeredAt, ...more });
    };
    let [wasCut, wasInDoubt] = [false, false];
    for (let again = AGAIN_MS.least; Date.now() < this.endsAtMs; again = Math.min(again * 2, AGAIN_MS.most)) {
      call.tries += 1;
      const answer = await this.call(call.acceptedMs === null ? postOf(command) : getOf(command));
      wasCut ||= answer === undefined;
      wasInDoubt ||= answer !== undefined && codeOf(answer.text) === IN_DOUBT;
      if (answer?.status === 200 || answer?.status === 202) {
        const { id: dispatchId, state } = (
          JSON.parse(answer.text) as { dispatch: { id: string; state: string } }
        ).dispatch;
        told(state, { dispatchId });
        if (call.acceptedMs === null) {
          this.accepted += 1;
          call.acceptedMs = Date.now() - this.orders.beginsAtMs;
          onAccepted();
        }
        if (!waits || ENDED.has(state)) {
          if (ENDED.has(state)) call.endedMs = Date.now() - this.orders.beginsAtMs;
          this.note('calls', call);
          return;
        }
        command.dispatchId = dispatchId;
        again = AGAIN_MS.least;
      }
      await rest(Math.max(again, answer?.afterMs ?? 0) * (0.5 + Math.random() / 2));
    }
    // What was accepted has had its answer; only its ending is not known to the client.
    if (call.acceptedMs === null) {
      if (wasCut) told('unknown', { cut: true });
      // Each answer to a whole request said for certain that it was not taken, or that nobody knew.
      else told(wasInDoubt ? 'unknown' : 'refused', {});
    }
    this.note('calls', call);
  }

  /** @returns undefined where the connection gave no answer */
  private async call(ask: Ask): Promise<Told | undefined> {
    let answer: Told;
    try {
      answer = await this.send(ask);
    } catch (error) {
      this.count(error instanceof Error ? error.message : String(error));
      return undefined;
    }
    const { status, text } = answer;
    if (status === 200 || status === 202) return answer;
    this.count(`${status} ${codeOf(text)}`);
    if (!NOT_NOW.has(status)) {
      this.note('untrue', {
        at: new Date().toISOString(),
        status,
        body: text.slice(0, 500),
      } satisfies Untrue);
    }
    return answer;
  }

  private send({ method, path, body, headers, withinMs }: Ask): Promise<Told> {
    const { url, token } = this.orders;
    return new Promise((resolve, reject) => {
      const call = request(
        `${url}/api/v1${path}`,
        { method, agent: this.agent, headers: { authorization: `Bearer ${token}`, ...headers } },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => (text += part));
          response.on('end', () => {
            clearTimeout(timer);
            const afterMs = Number(response.headers['retry-after'] ?? 0) * 1_000;
            resolve({
              status: response.statusCode ?? 0,
              text,
              afterMs: Math.min(afterMs, AGAIN_MS.most) || 0,
            });
          });
          response.on('error', failed);
        },
      );
      const failed = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      const timer = setTimeout(() => call.destroy(new Error('no answer in time')), withinMs);
      call.on('error', failed);
      call.end(body);
    });
  }

  private count(refusal: string): void {
    const kind = refusal.slice(0, 100).replace(/\d+\.\d+\.\d+\.\d+:\d+/g, '');
    this.refusals.set(kind, (this.refusals.get(kind) ?? 0) + 1);
  }

  private note(file: keyof typeof this.files, line: Answer | Call | Untrue): void {
    writeSync(this.files[file], `${JSON.stringify(line)}\n`);
  }
}

type Ask = { method: string; path: string; headers: Record<string, string>; body?: string; withinMs: number };

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

function codeOf(text: string): string {
  try {
    return String((JSON.parse(text) as { code?: unknown }).code);
  } catch {
    return 'no problem document';
  }
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
