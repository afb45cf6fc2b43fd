/**
 * The opening of a WebSocket to a replica, up to the hub's first frame.
 *
 *   dialling --open--> greeting (hello sent) --welcome, standby_ok--> a link
 *       \--refusal, silence     \--close, silence, another frame--> nothing
 */
import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';
import { CLOSE_CODES } from '../../protocol/close-code.js';
import type { Hello, HubFrame, StandbyOk, Welcome } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { parseHubFrame } from '../../protocol/parse.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { HubRefused, readRefusal } from '../hub-call.js';
import type { ShownFields } from '../proof.js';
import { controlUrl } from './addresses.js';
import { LinkFailed, NO_CLOSE, type LinkTimes } from './link.js';

const REFUSAL_BYTES = 64 * 1024;
/** No connection was made that a WebSocket could have been opened on. */
const NOBODY = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

type Answer = { welcome: Welcome; standby_ok: StandbyOk };

/**
 * Dials, says hello, and waits for the answer.
 *
 * @param shown who dials, proven for this one upgrade
 * @param hello asked for when it is about to be sent
 * @param make called before anything that comes behind the answer is looked at
 * @throws HubRefused where the upgrade was answered with plain HTTP
 * @throws LinkFailed for anything else that kept the link from being answered, an abort included
 */
export function greet<T extends keyof Answer, L>(
  url: string,
  shown: ShownFields,
  subprotocol: string,
  hello: () => Hello,
  expected: T,
  make: (socket: WebSocket, answer: Answer[T], said: Hello) => L,
  times: LinkTimes,
  signal: AbortSignal,
): Promise<L> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(controlUrl(url), subprotocol, {
      headers: shown,
      perMessageDeflate: false,
      maxPayload: LIMITS.frameBytes,
      handshakeTimeout: times.welcomeWithinMs,
      followRedirects: false,
    });
    const fail = (error: Error): void => {
      settle();
      socket.terminate();
      reject(error);
    };
    let isSettled = false;
    let wasHeard = false;
    const patience = setTimeout(
      () => fail(new LinkFailed('no welcome in time', null, wasHeard)),
      times.welcomeWithinMs + times.welcomeWithinMs / 2,
    );
    const abort = (): void => fail(new LinkFailed('given up', null));
    const settle = (): void => {
      isSettled = true;
      clearTimeout(patience);
      signal.removeEventListener('abort', abort);
      for (const event of ['open', 'ping', 'message', 'close', 'unexpected-response'])
        socket.removeAllListeners(event);
    };
    // Kept for good: a socket without this listener would end the process on a late error.
    socket.on('error', (error) => {
      if (!isSettled) fail(new LinkFailed(error.message, null, wasHeard || wasNobodyThere(error)));
    });
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) return abort();
    socket.on('unexpected-response', (_request, response) => {
      void readBody(response).then((body) => {
        if (isSettled) return;
        fail(
          new HubRefused(
            readRefusal(response.statusCode ?? 0, response.headers['retry-after'] ?? null, body),
          ),
        );
      });
    });
    socket.on('ping', () => (wasHeard = true));
    socket.on('close', (code, reason) =>
      fail(new LinkFailed(reason.toString() || 'closed unwelcomed', code, wasHeard || code !== NO_CLOSE)),
    );
    socket.on('open', () => {
      const said = hello();
      socket.send(JSON.stringify(said));
      socket.on('message', (data: Buffer, isBinary) => {
        try {
          const frame = readFrame(data, isBinary);
          if (frame.t !== expected) throw new ProtocolError(`the first frame must be a ${expected}`);
          settle();
          resolve(make(socket, frame as Answer[T], said));
        } catch (error) {
          socket.close(CLOSE_CODES.protocol_error, messageOf(error));
          fail(new LinkFailed(messageOf(error), CLOSE_CODES.protocol_error));
        }
      });
    });
  });
}

/** Where nobody is reached, that says nothing of WebSockets. */
function wasNobodyThere(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && NOBODY.has(code);
}

/** @throws ProtocolError */
export function readFrame(data: Buffer, isBinary: boolean): HubFrame {
  if (isBinary) throw new ProtocolError('a frame must be text');
  return parseHubFrame(data.toString());
}

/** As much of it as the reason of a close carries. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 120);
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > REFUSAL_BYTES) break;
      chunks.push(chunk);
    }
  } catch {
    // What was read of a refusal before it broke off is still its text.
  }
  return Buffer.concat(chunks).toString();
}
