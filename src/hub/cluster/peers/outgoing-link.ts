import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { CallerTls } from '../../config/internal-tls.js';
import { isSame } from '../../http/same-text.js';
import { within } from '../../lifecycle/within.js';
import { CodedError } from '../../problems/coded.error.js';
import { bodyOf } from './body.js';
import { LINK_PATH, RELAY_PREFIX, WAKE_PATH } from './paths.js';
import { codedErrorIn, PeerUnreachable } from './peers.errors.js';
import { answerMacOf, callMacOf, hashOf, linkKeyOf, proofOf, type LinkCall } from './signature.js';
import type { SignedCalls } from './signed-calls.js';
import { WakeStream } from './wake-stream.js';

const OPEN_WITHIN_MS = 3_000;

export type Ask = {
  /** The name that the other replica serves the call under. */
  name: string;
  body: unknown;
  withinMs: number;
  traceparent?: string | undefined;
  /** Giving up is told to the other side. */
  signal?: AbortSignal | undefined;
};

type Ends = { address: string; caller: string; target: string };

/** This replica's link to another: one connection of HTTP/2, each call on it proven by the link's key and a counter. */
export class OutgoingLink {
  private counter = 0;
  private underWay = 0;
  private usedAt = performance.now();
  private awaitsPong = false;

  private constructor(
    private readonly session: ClientHttp2Session,
    private readonly key: Buffer,
  ) {}

  /**
   * Opens one, over TLS where its address says so; with the previous secret where the target refuses the current one with 403.
   *
   * @param signal gives it up
   * @throws PeerUnreachable
   */
  static async open(
    signed: SignedCalls,
    ends: Ends,
    tls: CallerTls | undefined,
    signal?: AbortSignal,
  ): Promise<OutgoingLink> {
    const session = connect(ends.address, tls);
    const giveUp = () => session.destroy();
    signal?.addEventListener('abort', giveUp);
    // A hint is smaller than a packet, and is not to wait for the answer to the one before.
    session.once('connect', (_session, socket) => socket.setNoDelay(true));
    // Whoever waits for an answer is told by its stream; the rest is in isOpen.
    session.on('error', () => session.destroy());
    try {
      for (const secret of signed.secrets) {
        const key = await shakeHands(session, signed, secret, ends);
        if (key !== undefined) return new OutgoingLink(session, key);
      }
      throw new PeerUnreachable('it takes none of our secrets');
    } catch (error) {
      session.destroy();
      throw error;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  get isOpen(): boolean {
    return !this.session.closed && !this.session.destroyed;
  }

  /** Milliseconds without a call; 0 while one is under way. */
  get idleMs(): number {
    return this.underWay > 0 ? 0 : performance.now() - this.usedAt;
  }

  onClosed(listener: () => void): void {
    this.session.once('close', listener);
  }

  /**
   * @returns what the other replica's handler gave
   * @throws CodedError that the handler threw; PeerUnreachable where it could not be asked, or said nothing in time
   */
  async ask({ name, body, withinMs, traceparent, signal }: Ask): Promise<unknown> {
    signal?.throwIfAborted();
    const bytes = Buffer.from(JSON.stringify(body));
    const call: LinkCall = {
      purpose: 'relay',
      method: 'POST',
      path: RELAY_PREFIX + name,
      counter: (this.counter += 1),
      deadlineMs: Math.ceil(withinMs),
      traceparent: traceparent ?? '',
      bodyHash: hashOf(bytes),
    };
    this.underWay += 1;
    try {
      const {
        status,
        headers,
        body: answer,
      } = await exchange(this.session, headersOf(call, this.key), bytes, {
        withinMs,
        signal,
      });
      const mac = answerMacOf(this.key, { counter: call.counter, status, body: answer });
      if (!isSame(mac, String(headers['fairlead-mac']))) {
        // Where no call belongs to a link any more the door answers without one.
        this.close();
        throw new PeerUnreachable('its answer does not belong to the link');
      }
      const given = parsed(answer);
      if (status === 200) return given;
      throw codedErrorIn(given) ?? new PeerUnreachable(`it answered ${status}`);
    } finally {
      this.underWay -= 1;
      this.usedAt = performance.now();
    }
  }

  /** A stream of the link that carries hints. Whether the other replica takes them its first answers tell. */
  openWakes(): WakeStream {
    const call: LinkCall = {
      purpose: 'wake',
      method: 'POST',
      path: WAKE_PATH,
      counter: (this.counter += 1),
      deadlineMs: 0,
      traceparent: '',
      bodyHash: '',
    };
    const stream = this.session.request(headersOf(call, this.key), { endStream: false });
    return new WakeStream(stream, this.key, () => (this.usedAt = performance.now()));
  }

  /** Called regularly: closes a link whose other side has not answered since the last time. */
  probe(): void {
    // It is forgotten a moment later.
    if (this.session.destroyed) return;
    if (this.awaitsPong) {
      this.close();
      return;
    }
    this.awaitsPong = true;
    const sent = this.session.ping(() => (this.awaitsPong = false));
    if (!sent) this.close();
  }

  close(): void {
    this.session.destroy();
  }
}

/** @returns the key of the link, or undefined where the target refused with 403 */
async function shakeHands(
  session: ClientHttp2Session,
  signed: SignedCalls,
  secret: Buffer,
  { caller, target }: Ends,
): Promise<Buffer | undefined> {
  const body = Buffer.from(JSON.stringify({ replica: caller }));
  const call = { purpose: 'link', target, method: 'POST', path: LINK_PATH, body } as const;
  const { headers, nonce: callerNonce } = signed.sign(call, secret);
  const head = { ...headers, ':method': call.method, ':path': call.path };
  const answer = await exchange(session, head, body, { withinMs: OPEN_WITHIN_MS });
  if (answer.status === 403) return undefined;
  if (answer.status !== 200) throw new PeerUnreachable(`it answered ${answer.status} to the handshake`);
  const { nonce: targetNonce, proof } = parsed(answer.body) as { nonce?: unknown; proof?: unknown };
  if (typeof targetNonce !== 'string' || typeof proof !== 'string') throw new PeerUnreachable('no handshake');
  const key = linkKeyOf(secret, { caller, target, callerNonce, targetNonce });
  if (!isSame(proofOf(key, target), proof)) throw new PeerUnreachable('it does not have the secret');
  return key;
}

function headersOf(call: LinkCall, key: Buffer): Record<string, string> {
  return {
    ':method': call.method,
    ':path': call.path,
    'fairlead-purpose': call.purpose,
    'fairlead-counter': String(call.counter),
    'fairlead-deadline-ms': String(call.deadlineMs),
    'fairlead-body-sha256': call.bodyHash,
    'fairlead-mac': callMacOf(key, call),
    ...(call.traceparent === '' ? {} : { traceparent: call.traceparent }),
  };
}

type Answer = { status: number; headers: Record<string, unknown>; body: Buffer };

async function exchange(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Buffer,
  { withinMs, signal }: { withinMs: number; signal?: AbortSignal | undefined },
): Promise<Answer> {
  let stream: ClientHttp2Stream | undefined;
  const cancel = () => stream?.close(constants.NGHTTP2_CANCEL);
  try {
    stream = session.request(headers);
    signal?.addEventListener('abort', cancel);
    const answer = await within(withinMs, answerOf(stream, body));
    if (answer !== undefined) return answer;
    // It is not waited for: one that has not left, as on a session that has not connected, does not end before it has.
    cancel();
    throw new PeerUnreachable(`it said nothing within ${withinMs} ms`);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CodedError) throw error;
    throw new PeerUnreachable('its link broke', error);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

async function answerOf(stream: ClientHttp2Stream, body: Buffer): Promise<Answer> {
  // What is told after the end is nobody's business any more.
  stream.on('error', () => undefined);
  const head = new Promise<Record<string, unknown>>((resolve, reject) => {
    stream.once('response', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the stream ended without an answer')));
  });
  stream.end(body);
  const headers = await head;
  const answer = await bodyOf(stream);
  if (!stream.readableEnded || stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
    throw new Error('the stream was cut');
  }
  return { status: Number(headers[':status']), headers, body: answer };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
