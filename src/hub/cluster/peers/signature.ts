/**
 * How replicas prove to each other who they are. Every signature and every key is made over fields that each have their
 * length before them, so that no two lists of fields read the same, and begins with what it is for, so that none can be
 * used for another.
 *
 *     signed call    HMAC-SHA256(cluster secret, purpose, target, method, path, time, nonce, body hash)
 *     key of a link  HKDF-SHA256(cluster secret, both nonces of the handshake; caller, target)
 *     call on it     HMAC-SHA256(key, purpose, method, path, counter, deadline, trace, body hash)
 *     its answer     HMAC-SHA256(key, counter, status, body hash)
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { isSame } from '../../http/same-text.js';

/** What a word between replicas is for. `self`: a replica proves that it reaches itself. */
export const PURPOSES = ['link', 'relay', 'wake', 'drain', 'self'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** A call that is signed for itself: the handshake of a link, or one that needs none. */
export type SignedCall = {
  readonly purpose: Purpose;
  /** The replica that it is for, and no other takes it. */
  readonly target: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly timestampMs: number;
  readonly nonce: string;
  readonly body: Buffer;
};

/** A call on a link that is open. */
export type LinkCall = {
  readonly purpose: Purpose;
  readonly method: string;
  readonly path: string;
  /** Grows with every call of a link. */
  readonly counter: number;
  /** Milliseconds that the caller waits. */
  readonly deadlineMs: number;
  /** Empty where the caller has none. */
  readonly traceparent: string;
  readonly bodyHash: string;
};

export type LinkAnswer = { readonly counter: number; readonly status: number; readonly body: Buffer };

export type Handshake = {
  readonly caller: string;
  readonly target: string;
  readonly callerNonce: string;
  readonly targetNonce: string;
};

/** The fields, each behind its length in bytes. */
export function fieldsOf(...fields: (string | number)[]): Buffer {
  return Buffer.concat(
    fields.flatMap((field) => {
      const bytes = Buffer.from(String(field), 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

export function hashOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

export function signatureOf(secret: Buffer, call: SignedCall): string {
  const { purpose, target, method, path, timestampMs, nonce, body } = call;
  return hmac(
    secret,
    fieldsOf('fairlead.call.v1', purpose, target, method, path, timestampMs, nonce, hashOf(body)),
  );
}

/** The secret that the call was signed with, or undefined where it is none of these. */
export function signerOf(
  secrets: readonly Buffer[],
  call: SignedCall,
  signature: string,
): Buffer | undefined {
  return secrets.find((secret) => isSame(signatureOf(secret, call), signature));
}

/** The key of a link, which both sides derive and neither sends. */
export function linkKeyOf(secret: Buffer, handshake: Handshake): Buffer {
  const { caller, target, callerNonce, targetNonce } = handshake;
  const salt = fieldsOf(callerNonce, targetNonce);
  return Buffer.from(hkdfSync('sha256', secret, salt, fieldsOf('fairlead.link.v1', caller, target), 32));
}

/** By which the target shows the caller that it has the secret too. */
export function proofOf(key: Buffer, target: string): string {
  return hmac(key, fieldsOf('fairlead.proof.v1', target));
}

export function callMacOf(key: Buffer, call: LinkCall): string {
  const { purpose, method, path, counter, deadlineMs, traceparent, bodyHash } = call;
  return hmac(
    key,
    fieldsOf('fairlead.link-call.v1', purpose, method, path, counter, deadlineMs, traceparent, bodyHash),
  );
}

export function answerMacOf(key: Buffer, { counter, status, body }: LinkAnswer): string {
  return hmac(key, fieldsOf('fairlead.link-answer.v1', counter, status, hashOf(body)));
}

function hmac(key: Buffer, fields: Buffer): string {
  return createHmac('sha256', key).update(fields).digest('hex');
}
