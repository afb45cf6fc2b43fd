/**
 * What one replica tells another to save it a poll. A hint may be lost, late or repeated: whoever takes one reads
 * the truth from rows. Copies save that reading where nothing but what was committed can be said: of a command that is new,
 * and of one that has ended.
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
  /** People of whom something has changed that decides whether they are let in, and what they may do. */
  people: Set<string>;
  /** New commands for the taker's brokers, each as its row was committed; what a copy holds is the business of `dispatch`. */
  commands: Map<string, unknown>;
  /** How dispatches have ended, as their rows were committed. */
  outcomes: Map<string, unknown>;
};

type Encoded = {
  b?: [string, number][];
  e?: string[];
  c?: string[];
  p?: string[];
  m?: [string, number][];
  a?: string[];
  u?: string[];
  n?: [string, unknown][];
  o?: [string, unknown][];
};

export function emptyHint(): Hint {
  return {
    brokers: new Map(),
    ended: new Set(),
    cancelled: new Set(),
    progressed: new Set(),
    moved: new Map(),
    attached: new Set(),
    people: new Set(),
    commands: new Map(),
    outcomes: new Map(),
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
  for (const user of from.people) into.people.add(user);
  for (const [id, command] of from.commands) into.commands.set(id, command);
  for (const [id, outcome] of from.outcomes) into.outcomes.set(id, outcome);
}

/** PostgreSQL refuses a payload of 8,000 bytes and more. */
const PAYLOAD_BYTES = 7_900;
/** The names of all parts, with what stands around them. */
const FRAME_BYTES = 64;
/** A copy that takes more than this as JSON, in bytes, is not for a hint. */
export const COPY_BYTES = 6_000;

/** The hint as payloads that each fit one NOTIFY. */
export function encode(hint: Hint): string[] {
  const payloads: string[] = [];
  let parts = new Map<keyof Encoded, string[]>();
  let bytes = FRAME_BYTES;
  const flush = () => {
    if (parts.size === 0) return;
    payloads.push(`{${[...parts].map(([name, texts]) => `"${name}":[${texts.join(',')}]`).join(',')}}`);
    parts = new Map();
    bytes = FRAME_BYTES;
  };
  const add = (name: keyof Encoded, entries: Iterable<unknown>) => {
    for (const entry of entries) {
      const text = JSON.stringify(entry);
      const size = Buffer.byteLength(text) + 1;
      if (bytes + size > PAYLOAD_BYTES) flush();
      bytes += size;
      const texts = parts.get(name);
      if (texts === undefined) parts.set(name, [text]);
      else texts.push(text);
    }
  };
  add('m', hint.moved);
  add('b', hint.brokers);
  add('n', hint.commands);
  add('o', hint.outcomes);
  add('e', hint.ended);
  add('c', hint.cancelled);
  add('p', hint.progressed);
  add('a', hint.attached);
  add('u', hint.people);
  flush();
  return payloads;
}

/** The hint in a payload; what cannot be read is no hint. */
export function decode(payload: string): Hint {
  try {
    const part = (JSON.parse(payload) ?? {}) as Encoded;
    return {
      brokers: new Map(part.b ?? []),
      ended: new Set(part.e ?? []),
      cancelled: new Set(part.c ?? []),
      progressed: new Set(part.p ?? []),
      moved: new Map(part.m ?? []),
      attached: new Set(part.a ?? []),
      people: new Set(part.u ?? []),
      commands: new Map(part.n ?? []),
      outcomes: new Map(part.o ?? []),
    };
  } catch {
    return emptyHint();
  }
}
