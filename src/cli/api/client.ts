/**
 * Calls of the hub's HTTP API. Any replica will do, so the addresses are interchangeable: a call that got no answer
 * at one goes on at the next, and the one that answered is kept for the calls that follow.
 */
import { randomUUID } from 'node:crypto';
import { Fault } from '../fault.js';
import type { Clock } from '../surroundings.js';
import type { Target } from './target.js';
import { NoAnswer, readNoAnswer, readRefusal, tellMayBeOnRecord } from './problem.js';
import { BRIEF, isInDoubt, mayRepeat, PATIENT, pauseMs, type Patience, type Repeat } from './retry.js';

export type Ask = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  /** What is undefined is left out; of a list each is given. */
  query?: Record<string, string | number | readonly string[] | undefined>;
  body?: unknown;
  /** Seconds that the hub may hold its answer. */
  waitS?: number;
  /** Seconds after which an answer is no longer expected, beyond `waitS`. */
  answerWithinS?: number;
  /** `harmful` for what the hub cannot recognize the repeat of. */
  repeat?: Repeat;
  /** Under which the hub recognizes the call, where the user can name one; otherwise a new one. */
  idempotencyKey?: string | undefined;
  /** The revision that was read: the hub changes no other. */
  revision?: number | undefined;
  patience?: Patience;
  /** Once it is given, the call is let go of and not made again. */
  signal?: AbortSignal | undefined;
};

const ANSWER_WITHIN_S = 15;

export class Client {
  #at = 0;
  #aheadMs = 0;

  constructor(
    readonly target: Target,
    private readonly software: string,
    private readonly clock: Clock,
  ) {}

  /** The time by the clock of whoever answered last: the ages of what it tells are measured against it. */
  get hubNowMs(): number {
    return Date.now() + this.#aheadMs;
  }

  /**
   * The parsed answer; undefined where it has no content. Calls that change something carry one `Idempotency-Key`
   * through all their attempts.
   *
   * @throws Refused, NoAnswer once attempts are used up or make no sense; where one of them may have been accepted, they say so
   */
  async ask<T>(ask: Ask): Promise<T> {
    let mayBeOnRecord = false;
    try {
      return await this.attempts(ask, (failure) => (mayBeOnRecord ||= isInDoubt(failure)));
    } catch (error) {
      // A hub that has judged the call has said what there is to say.
      const isOpen = error instanceof Fault && mayRepeat(error, 'harmless');
      if (isOpen && mayBeOnRecord && ask.method !== 'GET') tellMayBeOnRecord(error, ask.idempotencyKey);
      throw error;
    }
  }

  private async attempts<T>(ask: Ask, onFailure: (failure: unknown) => void): Promise<T> {
    const { method, repeat = 'harmless', patience = method === 'GET' ? BRIEF : PATIENT } = ask;
    const headers = this.headersOf(ask);
    const { urls } = this.target;
    let failedSinceMs: number | undefined;
    for (let failures = 1; ; failures++) {
      const url = urls[this.#at % urls.length] ?? '';
      try {
        return (await this.send(url, ask, headers)) as T;
      } catch (error) {
        if (ask.signal?.aborted === true) throw error;
        onFailure(error);
        const isRoundOver = failures % urls.length === 0;
        const isElsewhereNext = error instanceof NoAnswer && !isRoundOver;
        if (!mayRepeat(error, repeat)) throw error;
        if (error instanceof NoAnswer && !error.mayPass && isRoundOver) throw error;
        failedSinceMs ??= this.clock.nowMs();
        const pause = isElsewhereNext ? 0 : pauseMs(failures, error, patience, Math.random());
        if (!isElsewhereNext && this.clock.nowMs() + pause - failedSinceMs > patience.totalMs) throw error;
        this.#at += 1;
        await this.clock.pause(pause, ask.signal);
      }
    }
  }

  private headersOf({
    method,
    body,
    revision,
    waitS = 0,
    idempotencyKey = randomUUID(),
  }: Ask): Record<string, string> {
    return {
      accept: 'application/json',
      authorization: `Bearer ${this.target.token}`,
      'user-agent': `fairlead-cli/${this.software}`,
      ...(method === 'GET' ? {} : { 'idempotency-key': idempotencyKey }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(revision === undefined ? {} : { 'if-match': `"${revision}"` }),
      ...(waitS > 0 ? { prefer: `wait=${waitS}` } : {}),
    };
  }

  private async send(url: string, ask: Ask, headers: Record<string, string>): Promise<unknown> {
    const { method, path, query, body, waitS = 0, answerWithinS = ANSWER_WITHIN_S } = ask;
    const tooLate = AbortSignal.timeout((answerWithinS + waitS) * 1000);
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}/api/v1${path}${queryOf(query)}`, {
        method,
        headers,
        // A redirect is never followed: the token is for this address.
        redirect: 'manual',
        signal: ask.signal === undefined ? tooLate : AbortSignal.any([tooLate, ask.signal]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      throw readNoAnswer(url, error);
    }
    const hubTimeMs = Date.parse(response.headers.get('date') ?? '');
    // The header tells whole seconds: less than this is no difference of the clocks.
    const aheadMs = hubTimeMs + 500 - Date.now();
    if (Number.isFinite(aheadMs)) this.#aheadMs = Math.abs(aheadMs) < 1_500 ? 0 : aheadMs;
    if (!response.ok) throw readRefusal(response.status, response.headers, text);
    if (response.status === 204) return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new NoAnswer(`${url} did not answer as a hub does.`, true, false, { cause: error });
    }
  }
}

function queryOf(query: Ask['query'] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === 'object' ? value : value === undefined ? [] : [value]).map((each): [string, string] => [
      name,
      String(each),
    ]),
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
