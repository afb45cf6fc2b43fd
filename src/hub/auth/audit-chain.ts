/**
 * How the rows of the audit are chained. Pure, since whoever checks the chain elsewhere does the same sums.
 *
 *     row hash       SHA-256(canonical text of the row)
 *     hash           SHA-256(hash of the link before, position as 8 bytes, row hash)
 *     first link     stands on 32 bytes of zero
 *
 * All parts of a hash have a fixed length, so that no two lists of parts read the same. The canonical text is a JSON list of the
 * row's columns, in the order below, with the members of its detail in the order of their names.
 */
import { createHash } from 'node:crypto';

/** A row of the audit as it is hashed; times with the database's microseconds. */
export type ChainedRow = {
  readonly seq: number;
  readonly id: string;
  readonly at: string;
  readonly act: string;
  readonly outcome: string;
  readonly code: string | null;
  readonly actor: {
    readonly kind: string;
    readonly id: string | null;
    readonly name: string | null;
    readonly credentialId: string | null;
  };
  readonly subject: { readonly kind: string; readonly id: string | null; readonly name: string | null };
  readonly address: string | null;
  readonly requestId: string | null;
  readonly detail: unknown;
};

export const FIRST_HASH = Buffer.alloc(32);

export function rowHashOf(row: ChainedRow): Buffer {
  const { seq, id, at, act, outcome, code, actor, subject, address, requestId, detail } = row;
  const columns = [
    'fairlead.audit.v1',
    ...[seq, id, at, act, outcome, code],
    ...[actor.kind, actor.id, actor.name, actor.credentialId],
    ...[subject.kind, subject.id, subject.name],
    ...[address, requestId, ordered(detail)],
  ];
  return sha256(Buffer.from(JSON.stringify(columns), 'utf8'));
}

/** @param before the hash of the link before it */
export function linkHashOf(before: Buffer, position: number, rowHash: Buffer): Buffer {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(BigInt(position));
  return sha256(Buffer.concat([before, place, rowHash]));
}

/** With the members of every object in the order of their names: the database keeps another. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, ordered(member)] as const);
  // Entries and not an object: names that are numbers would come first there whatever was asked for.
  return [{}, ...members.sort(([one], [other]) => (one < other ? -1 : 1))];
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
