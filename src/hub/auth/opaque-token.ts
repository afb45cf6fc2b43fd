/**
 * Tokens that mean nothing by themselves: 256 random bits behind a prefix that says their kind. They are shown
 * once; the hub keeps the SHA-256, which needs no salt since nobody can guess 256 bits, and the first characters,
 * by which people tell them apart in a list.
 */
import { createHash, randomBytes } from 'node:crypto';

const PREFIXES = { personal: 'flp_', join: 'flj_', refresh: 'flr_', invite: 'fli_', device: 'fld_' } as const;

export type OpaqueKind = keyof typeof PREFIXES;

type OpaqueToken = {
  /** The secret itself, to be shown once. */
  readonly plain: string;
  readonly prefix: string;
  readonly hash: Buffer;
};

const SECRET_BYTES = 32;
const SHOWN_CHARACTERS = 8;
/** 43 characters carry 258 bits: the last one of a true encoding of 32 bytes ends in two zero bits. */
const SECRET = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export function makeOpaque(kind: OpaqueKind): OpaqueToken {
  const plain = PREFIXES[kind] + randomBytes(SECRET_BYTES).toString('base64url');
  const prefix = plain.slice(0, PREFIXES[kind].length + SHOWN_CHARACTERS);
  return { plain, prefix, hash: sha256(plain) };
}

/** What the hub would have kept of a token of this kind, or undefined for anything that cannot be one. */
export function hashOpaque(kind: OpaqueKind, token: string): Buffer | undefined {
  const prefix = PREFIXES[kind];
  if (!token.startsWith(prefix) || !SECRET.test(token.slice(prefix.length))) return undefined;
  return sha256(token);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
