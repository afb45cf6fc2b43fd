import { closeSync, openSync, writeSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Answer, Call, Doubt, Given, Silence, Untrue } from './record.js';
import { Restraint, UNASKED } from './restraint.js';

export type Ask = {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  withinMs: number;
};

/** @property afterMs how long the hub asks to be left alone @property call by which it was told */
export type Told = { status: number; text: string; afterMs: number; call: Doubt };

/** What the API tells of a dispatch, as far as a client looks at it. */
export type Dispatch = {
  id: string;
  state: string;
  result: { note?: unknown } | null;
  cancel?: object | null;
};

type Notes = {
  answers: Answer;
  calls: Call;
  untrue: Untrue;
  silences: Silence;
  given: Given;
  doubts: Doubt;
};
/** On which connection a call went, and what was known of that one then. */
type Went = Pick<Silence, 'nearPort' | 'idleMs' | 'keptMs'>;

export const AGAIN_MS = { least: 100, most: 5_000 };
/** What a hub may honestly say to a command that is right, beside that it took it: not now. */
export const NOT_NOW: ReadonlySet<number> = new Set([429, 503]);
export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled', 'expired', 'dead']);
/** Said where a commit's outcome could not be found out. */
export const IN_DOUBT = 'outcome_unknown';
const LATE = 'no answer in time';
/** Characters that are kept of an answer that must not be. */
const BODY_MOST = 1_000;
/** Out at a time, of those that wait for an ending and of the others. */
const CALLS_MOST = 256;

/** Calls a hub for one client, and writes down what that was told. */
export class Caller {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 2 * CALLS_MOST });
  private readonly asking: Restraint;
  private readonly awaiting: Restraint;
  private readonly files: Record<keyof Notes, number>;
  /** Since when nothing is asked on a connection, and for how long the hub keeps it so. */
  private readonly idle = new WeakMap<Socket, { sinceMs: number; keptMs: number | null }>();
  /** Answers that were no acceptance, and calls without one, each kind with its number. */
  readonly refusals = new Map<string, number>();

  /** @param over from which on nothing more is asked */
  constructor(
    private readonly url: string,
    private readonly token: string,
    folder: string,
    client: number,
    over: AbortSignal,
  ) {
    this.asking = new Restraint(CALLS_MOST, over);
    this.awaiting = new Restraint(CALLS_MOST, over);
    const open = (name: string) => openSync(join(folder, `client-${client}.${name}`), 'a');
    this.files = {
      answers: open('answers'),
      calls: open('calls'),
      untrue: open('untrue'),
      silences: open('silences'),
      given: open('given'),
      doubts: open('doubts'),
    };
  }

  /** @returns undefined where the connection gave no answer, and UNASKED where it did not come to that */
  async call(ask: Ask): Promise<Told | undefined | typeof UNASKED> {
    // Who waits for an ending takes no place from who only wants to be taken.
    const restraint = ask.headers.prefer === undefined ? this.asking : this.awaiting;
    return restraint.call(
      () => this.once(ask),
      (answer) => answer !== undefined && answer.status < 300,
    );
  }

  private async once(ask: Ask): Promise<Told | undefined> {
    let answer: Omit<Told, 'call'>;
    const begunMs = Date.now();
    const idempotencyKey = ask.headers['idempotency-key'] ?? null;
    const went: Went = { nearPort: null, idleMs: null, keptMs: null };
    const spanned = () => ({ idempotencyKey, begunMs, endedMs: Date.now() });
    try {
      answer = await this.send(ask, went);
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      this.count(told);
      this.note('silences', { error: told, wasLate: told === LATE, ...spanned(), ...went });
      return undefined;
    }
    const { status, text } = answer;
    const call: Doubt = { ...spanned(), nearPort: went.nearPort };
    if (status !== 200 && status !== 202) {
      const code = codeOf(text);
      this.refused(status, code, text);
      if (code === IN_DOUBT) this.note('doubts', call);
    }
    return { ...answer, call };
  }

  /** @param text the whole of what was said, for where it may not be said */
  refused(status: number, code: string, text: string): void {
    this.count(`${status} ${code}`);
    if (NOT_NOW.has(status)) return;
    this.untrue(status, text);
  }

  /** The op of each command gives back the note that came with it: a success has that result, and no other. */
  compare(status: number, dispatch: Dispatch, note: string): void {
    const { state, result } = dispatch;
    if (state !== 'succeeded' || result?.note === note) return;
    this.count(`${status} with a result of another`);
    this.untrue(status, `for ${note}: ${JSON.stringify(dispatch)}`);
  }

  /** What was given up has ended, or is known to be given up. */
  compareGivenUp(status: number, dispatch: Dispatch): void {
    if (ENDED.has(dispatch.state) || (dispatch.cancel ?? null) !== null) return;
    this.count(`${status} for what is not given up`);
    this.untrue(status, `it was given up: ${JSON.stringify(dispatch)}`);
  }

  private untrue(status: number, body: string): void {
    this.note('untrue', { at: new Date().toISOString(), status, body: body.slice(0, BODY_MOST) });
  }

  note<K extends keyof Notes>(file: K, line: Notes[K]): void {
    writeSync(this.files[file], `${JSON.stringify(line)}\n`);
  }

  close(): void {
    this.agent.destroy();
    for (const file of Object.values(this.files)) closeSync(file);
  }

  private count(refusal: string): void {
    const kind = refusal.slice(0, 100).replace(/\d+\.\d+\.\d+\.\d+:\d+/g, '');
    this.refusals.set(kind, (this.refusals.get(kind) ?? 0) + 1);
  }

  private send({ method, path, body, headers, withinMs }: Ask, went: Went): Promise<Omit<Told, 'call'>> {
    const { url, token } = this;
    return new Promise((resolve, reject) => {
      const call = request(
        `${url}/api/v1${path}`,
        { method, agent: this.agent, headers: { authorization: `Bearer ${token}`, ...headers } },
        (response) => {
          let text = '';
          // A response that has ended is on no connection any more.
          const { socket } = response;
          response.setEncoding('utf8');
          response.on('data', (part: string) => (text += part));
          response.on('end', () => {
            clearTimeout(timer);
            const keptMs = keptMsOf(response.headers['keep-alive']);
            this.idle.set(socket, { sinceMs: Date.now(), keptMs });
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
      const timer = setTimeout(() => call.destroy(new Error(LATE)), withinMs);
      call.on('error', failed);
      call.once('socket', (socket) => this.follow(socket, went));
      call.end(body);
    });
  }

  private follow(socket: Socket, went: Went): void {
    const idle = this.idle.get(socket);
    if (idle !== undefined) {
      went.idleMs = Date.now() - idle.sinceMs;
      went.keptMs = idle.keptMs;
    }
    const name = () => (went.nearPort = socket.localPort ?? null);
    if (socket.connecting) socket.once('connect', name);
    else name();
  }
}

/** For how long a hub keeps a connection on which nothing is asked, where it says so. */
function keptMsOf(header: string | string[] = ''): number | null {
  const [, seconds] = /(?:^|,)\s*timeout=(\d+)/.exec(String(header)) ?? [];
  return seconds === undefined ? null : Number(seconds) * 1_000;
}

export function codeOf(text: string): string {
  try {
    return String((JSON.parse(text) as { code?: unknown }).code);
  } catch {
    return 'no problem document';
  }
}

/** For how long to rest before a call is repeated: growing, by chance, and no less than the hub asks for. */
export function restOf(againMs: number, answer: Told | undefined): number {
  return Math.max(againMs, answer?.afterMs ?? 0) * (0.5 + Math.random() / 2);
}
