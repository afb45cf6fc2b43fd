/**
 * Whether the audit is what it was: every row where it stood in the chain, unchanged, and none beside it. Reads it in its order, and
 * names the first row that is not as it was.
 */
import { FIRST_HASH, linkHashOf, rowHashOf, type ChainedRow } from '../auth/audit-chain.js';
import { Malformed } from '../proof/malformed.js';

/** What was done to a row, as far as the chain can tell. */
export const TAMPERINGS = ['changed', 'removed', 'inserted', 'reordered'] as const;
export type Tampering = (typeof TAMPERINGS)[number];

export type AuditFault = {
  tampering: Tampering;
  /** In the chain; null for a row that has no place there. */
  position: number | null;
  /** Of the row; null where nothing is left that tells. */
  id: string | null;
  seen: string;
};

export type AuditVerdict = {
  clean: boolean;
  /** Rows that were found as they were, before the first fault. */
  linked: number;
  /** Rows that the hub has not linked yet: nothing can be said of these. */
  waiting: number;
  /** The last link as `position:hash`, to be kept elsewhere; null where there is none. */
  head: string | null;
  /** The first fault. */
  fault: AuditFault | null;
};

/** A link, or a row without one, as the API has it. */
export type AuditItem = {
  readonly position: number | null;
  readonly id: string;
  readonly rowHash: string | null;
  readonly hash: string | null;
  readonly isAwaited: boolean;
  readonly entry: ChainedRow | null;
};

type Link = { position: number; id: string; rowHash: Buffer; hash: Buffer; entry: ChainedRow | null };

/** A row that stands elsewhere is looked for among so many that follow. */
const AHEAD = 1_000;

/** @param head `position:hash` of a link that was seen before, which must still be there */
export async function verifyAudit(items: AsyncIterable<AuditItem>, head?: string): Promise<AuditVerdict> {
  const known = head === undefined ? undefined : readHead(head);
  const source = new Ahead(items);
  let before: Buffer = FIRST_HASH;
  let linked = 0;
  const found = (fault: AuditFault | null, waiting = 0): AuditVerdict => ({
    clean: fault === null,
    linked,
    waiting,
    head: linked === 0 ? null : `${linked}:${before.toString('hex')}`,
    fault,
  });
  for (;;) {
    const link = await source.next();
    if (link === undefined) break;
    const fault = await faultAt(link, linked + 1, before, source);
    if (fault !== undefined) return found(fault);
    linked = link.position;
    before = link.hash;
    if (known?.position === linked && !known.hash.equals(before)) {
      const seen =
        'the chain up to here was made anew: its hash is another than the one that was seen before';
      return found({ tampering: 'changed', position: linked, id: link.id, seen });
    }
  }
  if (known !== undefined && known.position > linked) {
    const seen = `the chain ends at ${linked}, and once had ${known.position} links`;
    return found({ tampering: 'removed', position: linked + 1, id: null, seen });
  }
  const gone = source.unlinked.find(({ entry }) => entry === null);
  const stray = source.unlinked.find(({ isAwaited }) => !isAwaited);
  if (gone !== undefined) {
    return found({
      tampering: 'removed',
      position: null,
      id: gone.id,
      seen: 'the row is gone before it was linked',
    });
  }
  if (stray !== undefined) {
    const seen = 'the row has no link, and none is awaited: it did not come by the hub';
    return found({ tampering: 'inserted', position: null, id: stray.id, seen });
  }
  return found(null, source.unlinked.length);
}

async function faultAt(
  link: Link,
  position: number,
  before: Buffer,
  source: Ahead,
): Promise<AuditFault | undefined> {
  const { id, rowHash, hash, entry } = link;
  const as = (tampering: Tampering, seen: string, of: string | null = id): AuditFault => {
    return { tampering, position, id: of, seen };
  };
  if (link.position !== position) {
    return as('removed', `after ${position - 1} comes ${link.position}: the link between is gone`, null);
  }
  const fits = (one: Link, chained = one.hash) => linkHashOf(before, position, one.rowHash).equals(chained);
  if (entry === null) return as('removed', 'its link is there, and the row is gone');
  const own = rowHashOf(entry);
  if (entry.id !== id || !own.equals(rowHash)) {
    const isElsewhere = await source.find((other) => other.rowHash.equals(own));
    if (isElsewhere !== undefined)
      return as('reordered', `the row that stands here belongs to ${isElsewhere.position}`);
    return as('changed', 'the row is not what was hashed when it was linked');
  }
  if (fits(link)) return undefined;
  const next = await source.peek(0);
  const chained = await source.find((other) => fits(other, hash));
  const moved = chained ?? (await source.find((other) => fits(other)));
  if (moved !== undefined) {
    // The row that belongs here, one place further down, behind a row that does not follow it: that one was put between.
    const isShifted = chained === undefined && moved === next;
    const isSwapped = isShifted && linkHashOf(moved.hash, position + 1, rowHash).equals(hash);
    if (isShifted && !isSwapped) return as('inserted', 'the row that stood here stands behind it');
    return as('reordered', `the row that stood here stands at ${moved.position}`);
  }
  const whole = linkHashOf(before, position, rowHash);
  if (next !== undefined && linkHashOf(whole, next.position, next.rowHash).equals(next.hash)) {
    return as('changed', 'its link does not hold its own hash any more');
  }
  return as('removed', 'it does not follow the one before it: what stood between is gone');
}

/** Links in their order, of which some that follow can be looked at. What has none is kept apart. */
class Ahead {
  readonly unlinked: AuditItem[] = [];
  private readonly buffer: Link[] = [];
  private readonly items: AsyncIterator<AuditItem>;

  constructor(items: AsyncIterable<AuditItem>) {
    this.items = items[Symbol.asyncIterator]();
  }

  async next(): Promise<Link | undefined> {
    await this.fill(1);
    return this.buffer.shift();
  }

  async peek(at: number): Promise<Link | undefined> {
    await this.fill(at + 1);
    return this.buffer[at];
  }

  async find(matches: (link: Link) => boolean): Promise<Link | undefined> {
    await this.fill(AHEAD);
    return this.buffer.find(matches);
  }

  private async fill(size: number): Promise<void> {
    while (this.buffer.length < size) {
      const next = await this.items.next();
      if (next.done === true) return;
      const { value } = next;
      if (value.position === null || value.rowHash === null || value.hash === null) this.unlinked.push(value);
      else {
        const { position, id, entry } = value;
        const [rowHash, hash] = [Buffer.from(value.rowHash, 'hex'), Buffer.from(value.hash, 'hex')];
        this.buffer.push({ position, id, rowHash, hash, entry });
      }
    }
  }
}

/** @throws Malformed */
export function readItem(value: unknown, where: string): AuditItem {
  const item = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const { position, id, rowHash, hash, isAwaited, entry } = item;
  const isLinked = Number.isSafeInteger(position) && isHash(rowHash) && isHash(hash);
  const isFree = position === null && rowHash === null && hash === null;
  const isRow = entry === null || (typeof entry === 'object' && isRowLike(entry as Record<string, unknown>));
  if ((!isLinked && !isFree) || typeof id !== 'string' || typeof isAwaited !== 'boolean' || !isRow) {
    throw new Malformed(`${where} is no line of an export of the audit`);
  }
  return item as unknown as AuditItem;
}

function isRowLike({ actor, subject, id }: Record<string, unknown>): boolean {
  const areObjects = [actor, subject].every((each) => typeof each === 'object' && each !== null);
  return areObjects && typeof id === 'string';
}

function isHash(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** @throws Malformed */
function readHead(text: string): { position: number; hash: Buffer } {
  const [, position, hash = ''] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (position === undefined) throw new Malformed('a head is a position and a hash, as verify printed it');
  return { position: Number(position), hash: Buffer.from(hash, 'hex') };
}
