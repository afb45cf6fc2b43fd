import { randomUUID } from 'node:crypto';
import type { Http2Session, ServerHttp2Stream } from 'node:http2';
import { Injectable, Logger } from '@nestjs/common';
import { isUuid } from '../../../protocol/read.js';
import { isTraceparent } from '../../../protocol/traceparent.js';
import { isSame } from '../../http/same-text.js';
import { asCoded, problemOf } from '../../problems/problem.filter.js';
import { NotFound } from '../../problems/coded.error.js';
import { newId } from '../../new-id.js';
import { Replica } from '../replica.js';
import { receivedBodyOf, SIGNED_BODY_BYTES } from './body.js';
import { isOfReplica, type DualRequest, type DualResponse } from './dual-server.js';
import { LINK_PATH, RELAY_PREFIX, SELF_PATH, WAKE_PATH } from './paths.js';
import { PeerRefused } from './peers.errors.js';
import { Reach } from './reach.js';
import {
  answerMacOf,
  callMacOf,
  hashOf,
  linkKeyOf,
  proofOf,
  PURPOSES,
  type LinkCall,
  type Purpose,
} from './signature.js';
import { SignedCalls } from './signed-calls.js';
import { HintReader, takenFrame, WrongWakeFrame } from './wake-frames.js';

export type PeerCall = {
  /** The replica that asks, as its link was opened. */
  readonly caller: string;
  readonly body: unknown;
  /** Aborted when the caller has given up, or its time is over. */
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly traceparent: string | undefined;
};

/** @returns what is sent as JSON; what it throws is sent as a problem */
export type PeerHandler = (call: PeerCall) => Promise<unknown>;

/** Hints that were taken within this time are told of at once, well before anybody misses the word. */
const TAKEN_TOLD_AFTER_MS = 100;
/** No caller waits longer. */
const LONGEST_MS = 300_000;

type IncomingLink = { caller: string; target: string; key: Buffer; counter: number };

/** Where other replicas come in: it takes their links, and hands on what they ask on these. */
@Injectable()
export class PeerDoor {
  private readonly log = new Logger('cluster');
  private readonly handlers = new Map<string, PeerHandler>();
  private readonly links = new Map<Http2Session, IncomingLink>();
  private onHint: (text: string) => void = () => undefined;

  constructor(
    private readonly replica: Replica,
    private readonly signed: SignedCalls,
    private readonly reach: Reach,
  ) {
    // Its links were opened to an id that is spent.
    replica.onLost(() => {
      for (const session of this.links.keys()) session.destroy();
    });
  }

  /** Answers calls to `/internal/v1/relay/<name>`. A relay is one hop: the handler looks among what is here. */
  serve(name: string, handler: PeerHandler): void {
    this.handlers.set(RELAY_PREFIX + name, handler);
  }

  /** There is one who takes the hints of other replicas; it must only note them. */
  hear(onHint: (text: string) => void): void {
    this.onHint = onHint;
  }

  static serves(path: string): boolean {
    return [LINK_PATH, SELF_PATH, WAKE_PATH].includes(path) || path.startsWith(RELAY_PREFIX);
  }

  /** Answers a request to one of these paths; never rejects. */
  async answer(request: DualRequest, response: DualResponse): Promise<void> {
    try {
      const path = request.url ?? '';
      if (!isOfReplica(request)) throw new PeerRefused('its certificate is not that of a replica');
      if (request.method !== 'POST') throw new NotFound('call');
      if (path === SELF_PATH) await this.hearItself(request, response);
      else if (path === LINK_PATH) await this.open(request, response);
      else if (path === WAKE_PATH) await this.hearHints(request, response);
      else await this.take(request, response);
    } catch (error) {
      this.refuse(request, response, error);
    }
  }

  private async hearItself(request: DualRequest, response: DualResponse): Promise<void> {
    const { nonce } = await this.signed.check('self', await read(request));
    this.reach.heard(nonce);
    end(response, 200, {}, jsonOf({ replica: this.replica.id }));
  }

  private async open(request: DualRequest, response: DualResponse): Promise<void> {
    const session = sessionOf(request);
    const call = await read(request);
    const { secret, nonce: callerNonce } = await this.signed.check('link', call);
    const { replica: caller } = parsed(call.body) as { replica?: unknown };
    const target = this.replica.id;
    if (!isUuid(caller)) throw new PeerRefused('the caller does not say who it is');
    if (caller === target) throw new PeerRefused('this replica would be linked to itself');
    const targetNonce = randomUUID();
    const key = linkKeyOf(secret, { caller, target, callerNonce, targetNonce });
    // Its caller waits no longer than 3 s, and the check may have taken longer.
    if (session.destroyed) return;
    this.links.set(session, { caller, target, key, counter: 0 });
    session.once('close', () => this.links.delete(session));
    end(response, 200, {}, jsonOf({ replica: target, nonce: targetNonce, proof: proofOf(key, target) }));
  }

  /** Hands on hints as they come, and says how many it took, for as long as the link is open. */
  private async hearHints(request: DualRequest, response: DualResponse): Promise<void> {
    const session = sessionOf(request);
    const { link } = this.callOn(request, 'wake');
    const reader = new HintReader(link.key);
    let telling: NodeJS.Timeout | undefined;
    const tell = () => {
      telling = undefined;
      write(response, takenFrame(link.key, reader.count));
    };
    response.on('error', () => undefined);
    begin(response, takenFrame(link.key, 0));
    const hear = (chunk: Buffer): boolean => {
      try {
        for (const text of reader.read(chunk)) this.onHint(text);
        telling ??= setTimeout(tell, TAKEN_TOLD_AFTER_MS);
        return true;
      } catch (error) {
        // What was not taken goes another way.
        if (error instanceof WrongWakeFrame) {
          this.links.delete(session);
          this.log.warn({ replica: link.caller }, 'hints of a peer do not belong to its link');
        }
        return false;
      }
    };
    await untilRefused(streamOf(request), hear);
    reader.end();
    clearTimeout(telling);
    response.end();
  }

  private callOn(request: DualRequest, purpose: Purpose): { link: IncomingLink; call: LinkCall } {
    const session = sessionOf(request);
    const link = this.links.get(session);
    if (link === undefined) throw new PeerRefused('there is no link');
    const call = authenticated(request, link, purpose);
    if (call === undefined) {
      // Whoever can say a wrong thing on a link may say more: it carries nothing from here on.
      this.links.delete(session);
      throw new PeerRefused('a call that does not belong to its link');
    }
    return { link, call };
  }

  private async take(request: DualRequest, response: DualResponse): Promise<void> {
    const { link, call } = this.callOn(request, 'relay');
    const ended = new AbortController();
    const timer = setTimeout(() => ended.abort(), Math.min(call.deadlineMs, LONGEST_MS)).unref();
    response.on('close', () => {
      clearTimeout(timer);
      ended.abort();
    });
    let status = 200;
    let answer: Buffer;
    try {
      const body = await receivedBodyOf(request);
      if (hashOf(body) !== call.bodyHash) throw new PeerRefused('another body than was signed');
      const handler = this.handlers.get(call.path);
      if (handler === undefined) throw new NotFound('call');
      const { caller } = link;
      const { deadlineMs } = call;
      const traceparent = isTraceparent(call.traceparent) ? call.traceparent : undefined;
      const given = await handler({
        caller,
        body: parsed(body),
        signal: ended.signal,
        deadlineMs,
        traceparent,
      });
      answer = jsonOf(given ?? null);
    } catch (error) {
      const coded = this.logged(error);
      status = coded.status;
      answer = jsonOf(problemOf(coded, newId()));
    }
    const mac = answerMacOf(link.key, { counter: call.counter, status, body: answer });
    end(response, status, { 'fairlead-mac': mac }, answer);
  }

  private refuse(request: DualRequest, response: DualResponse, error: unknown): void {
    const coded = this.logged(error);
    if (response.headersSent) {
      response.end();
      return;
    }
    const unread = coded.status === 413 ? { connection: 'close' } : {};
    const headers = request.httpVersionMajor === 1 ? unread : {};
    end(response, coded.status, headers, jsonOf(problemOf(coded, newId())));
  }

  private logged(error: unknown) {
    const coded = asCoded(error);
    if (error instanceof PeerRefused) this.log.warn({ why: error.why }, 'a call of a peer was refused');
    else if (coded.code === 'internal') this.log.error({ err: error }, 'a call of a peer failed');
    return coded;
  }
}

/** The call as its link vouches for it; undefined where it does not. */
function authenticated(request: DualRequest, link: IncomingLink, wanted: Purpose): LinkCall | undefined {
  const header = (name: string): string => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : '';
  };
  const purpose = header('fairlead-purpose');
  const [counter, deadlineMs] = [Number(header('fairlead-counter')), Number(header('fairlead-deadline-ms'))];
  if (!isPurpose(purpose) || !Number.isSafeInteger(counter) || !Number.isSafeInteger(deadlineMs))
    return undefined;
  const call: LinkCall = {
    purpose,
    method: request.method ?? '',
    path: request.url ?? '',
    counter,
    deadlineMs,
    traceparent: header('traceparent'),
    bodyHash: header('fairlead-body-sha256'),
  };
  const isTrue = isSame(callMacOf(link.key, call), header('fairlead-mac'));
  // Calls that were given up before they left leave gaps; none comes twice, and none after a later one.
  if (!isTrue || purpose !== wanted || counter <= link.counter) return undefined;
  link.counter = counter;
  return call;
}

function isPurpose(text: string): text is Purpose {
  return (PURPOSES as readonly string[]).includes(text);
}

function sessionOf(request: DualRequest): Http2Session {
  const session = streamOf(request).session;
  if (session === undefined) throw new PeerRefused('not over HTTP/2');
  return session;
}

function streamOf(request: DualRequest): ServerHttp2Stream {
  if (!('stream' in request)) throw new PeerRefused('not over HTTP/2');
  return request.stream;
}

/**
 * Hands on the chunks of a stream as they come, until it ends or one is refused; what comes after that is dropped. The request that
 * stands before the stream would pass each on a little later.
 */
function untilRefused(stream: ServerHttp2Stream, take: (chunk: Buffer) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const hear = (chunk: Buffer) => {
      if (take(chunk)) return;
      stream.off('data', hear);
      resolve();
    };
    stream.on('data', hear);
    for (const over of ['end', 'error', 'close']) stream.on(over, resolve);
  });
}

async function read(request: DualRequest) {
  const body = await receivedBodyOf(request, SIGNED_BODY_BYTES);
  return { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
}

/** What is no JSON is as good as nothing. */
function parsed(body: Buffer): unknown {
  try {
    return (JSON.parse(body.toString('utf8')) as unknown) ?? {};
  } catch {
    return {};
  }
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** The two kinds of responses declare these apart, and take the same. */
function begin(response: DualResponse, first: Buffer): void {
  const headers = { 'content-type': 'application/octet-stream' };
  (response as { writeHead(status: number, headers: Record<string, string>): unknown }).writeHead(
    200,
    headers,
  );
  write(response, first);
}

function write(response: DualResponse, bytes: Buffer): void {
  (response as { write(bytes: Buffer): unknown }).write(bytes);
}

function end(response: DualResponse, status: number, headers: Record<string, string>, body: Buffer): void {
  const all = { 'content-type': 'application/json', ...headers };
  // The two kinds of responses declare it apart, and take the same.
  (response as { writeHead(status: number, headers: Record<string, string>): unknown }).writeHead(
    status,
    all,
  );
  response.end(body);
}
