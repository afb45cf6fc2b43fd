import { request, type IncomingMessage } from 'node:http';
import { request as requestOverTls } from 'node:https';
import type { Certificates } from './certificates.js';
import type { CallerTls } from '../../config/internal-tls.js';
import { PeerUnreachable } from './peers.errors.js';
import type { Purpose } from './signature.js';
import type { SignedCalls } from './signed-calls.js';

export type SingleCall = {
  /** Where the target listens for its peers. */
  address: string;
  purpose: Purpose;
  target: string;
  path: string;
  withinMs: number;
  /** Told the nonce of each try, before it leaves. */
  onNonce?: (nonce: string) => void;
};

/**
 * A call that is signed for itself, without a link. It is tried once more with the previous secret where it was refused
 * with 403, and nowhere else.
 *
 * @returns the answer once its head is here; whoever takes it minds its body
 * @throws PeerUnreachable
 */
export async function callOnce(
  signed: SignedCalls,
  certificates: Certificates,
  call: SingleCall,
): Promise<IncomingMessage> {
  const tls = certificates.callerFor(call.address);
  let answer: IncomingMessage | undefined;
  for (const secret of signed.secrets) {
    answer?.destroy();
    answer = await send(signed, tls, call, secret);
    if (answer.statusCode !== 403) break;
  }
  if (answer === undefined) throw new PeerUnreachable('no secret to sign with');
  return answer;
}

function send(
  signed: SignedCalls,
  tls: CallerTls | undefined,
  call: SingleCall,
  secret: Buffer,
): Promise<IncomingMessage> {
  const { address, purpose, target, path, withinMs } = call;
  const body = Buffer.alloc(0);
  const { headers, nonce } = signed.sign({ purpose, target, method: 'POST', path, body }, secret);
  call.onNonce?.(nonce);
  return new Promise((resolve, reject) => {
    const url = new URL(path, address);
    const options = { method: 'POST', headers, agent: false } as const;
    const outgoing = tls ? requestOverTls(url, { ...options, ...tls }) : request(url, options);
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${withinMs} ms`)), withinMs);
    outgoing.on('response', (answer) => {
      clearTimeout(timer);
      answer.on('error', () => undefined);
      resolve(answer);
    });
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      reject(new PeerUnreachable('it could not be called', error));
    });
    outgoing.end();
  });
}
