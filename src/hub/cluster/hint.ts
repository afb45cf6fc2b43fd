/**
 * What one replica tells another to save it a poll. A hint may be lost, late or repeated: whoever takes one reads
 * the truth from rows.
 */
export type Hint = {
  /** Brokers with new or requeued commands, each with the lowest `seq` among them. */
  brokers: Map<string, number>;
  /** Dispatches that have ended. */
  ended: Set<string>;
  /** Dispatches whose callers gave them up, and which their brokers must be asked to stop. */
  cancelled: Set<string>;
  /** Dispatches that have come on, or whose agents have: those who wait for them wait anew. */
  progressed: Set<string>;
  /** Brokers whose connection was taken, by another replica or by an operator, each with its newest epoch. */
  moved: Map<string, number>;
  /** Brokers whose attachments to projects have changed, and who are to be told. */
  attached: Set<string>;
};

type Encoded = {
  b?: [string, number][];
  e?: string[];
  c?: string[];
  p?: string[];
  m?: [string, number][];
  a?: string[];
};

export function emptyHint(): Hint {
  return {
    brokers: new Map(),
    ended: new Set(),
    cancelled: new Set(),
    progressed: new Set(),
    moved: new Map(),
    attached: new Set(),
  };
}

/** Adds one hint to another: the lowest `seq` and the newest epoch win. */
export function merge(into: Hint, from: Hint): void {
  for (const [broker, seq] of from.brokers) {
    into.brokers.set(broker, Math.min(seq, into.brokers.get(broker) ?? Infinity));
  }
  for (const id of from.ended) into.ended.add(id);
  for (const id of from.cancelled) into.cancelled.add(id);
  for (const id of from.progressed) into.progressed.add(id);
  for (const [broker, epoch] of from.moved) {
    into.moved.set(broker, Math.max(epoch, into.moved.get(broker) ?? 0));
  }
  for (const broker of from.attached) into.attached.add(broker);
}

/** PostgreSQL refuses a payload of 8,000 bytes and more. */
const PAYLOAD_BYTES = 7_900;
const ENTRY_BYTES = 64;
const ENTRIES = Math.floor(PAYLOAD_BYTES / ENTRY_BYTES);

/** The hint as payloads that each fit one NOTIFY. */
export function encode(hint: Hint): string[] {
  const entries: ((part: Encoded) => void)[] = [
    ...[...hint.moved].map((entry) => (part: Encoded) => void (part.m ??= []).push(entry)),
    ...[...hint.brokers].map((entry) => (part: Encoded) => void (part.b ??= []).push(entry)),
    ...[...hint.ended].map((id) => (part: Encoded) => void (part.e ??= []).push(id)),
    ...[...hint.cancelled].map((id) => (part: Encoded) => void (part.c ??= []).push(id)),
    ...[...hint.progressed].map((id) => (part: Encoded) => void (part.p ??= []).push(id)),
    ...[...hint.attached].map((id) => (part: Encoded) => void (part.a ??= []).push(id)),
  ];
  const payloads: string[] = [];
  for (let from = 0; from < entries.length; from += ENTRIES) {
    const part: Encoded = {};
    for (const add of entries.slice(from, from + ENTRIES)) add(part);
    payloads.push(JSON.stringify(part));
  }
  return payloads;
}

/** The hint in a payload; what cannot be read is no hint. */
export function decode(payload: string): Hint {
  const hint = emptyHint();
  let part: Encoded;
  try {
    part = JSON.parse(payload) as Encoded;
  } catch {
    return hint;
  }
  merge(hint, {
    brokers: new Map(part.b ?? []),
    ended: new Set(part.e ?? []),
    cancelled: new Set(part.c ?? []),
    progressed: new Set(part.p ?? []),
    moved: new Map(part.m ?? []),
    attached: new Set(part.a ?? []),
  });
  return hint;
}
