import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { FIRST_HASH, linkHashOf, rowHashOf, type ChainedRow } from '../auth/audit-chain.js';
import { Malformed } from '../proof/malformed.js';
import { readItem, verifyAudit, type AuditItem } from './audit.js';

function makeRow(seq: number): ChainedRow {
  return {
    seq,
    id: randomUUID(),
    at: `2026-08-01T12:00:00.${String(seq).padStart(6, '0')}Z`,
    act: 'broker.cordon',
    outcome: 'done',
    code: null,
    actor: { kind: 'person', id: randomUUID(), name: 'ann', credentialId: randomUUID() },
    subject: { kind: 'broker', id: randomUUID(), name: 'build-1' },
    address: '192.0.2.7',
    requestId: `r-${seq}`,
    detail: { b: 1, a: { '2': true, '1': false } },
  };
}

function chainOf(rows: readonly ChainedRow[]): AuditItem[] {
  let hash: Buffer = FIRST_HASH;
  return rows.map((entry, at) => {
    const rowHash = rowHashOf(entry);
    hash = linkHashOf(hash, at + 1, rowHash);
    const hex = { rowHash: rowHash.toString('hex'), hash: hash.toString('hex') };
    return { position: at + 1, id: entry.id, ...hex, isAwaited: false, entry };
  });
}

const makeChain = (length = 6) => chainOf(Array.from({ length }, (_, at) => makeRow(at + 1)));

const given = (items: readonly AuditItem[]) => Readable.from(items);

const faultOf = async (items: readonly AuditItem[], head?: string) =>
  (await verifyAudit(given(items), head)).fault;

/** As though somebody had renumbered the links once he was done. */
const renumbered = (items: readonly AuditItem[]) => items.map((item, at) => ({ ...item, position: at + 1 }));

describe('a chained audit', () => {
  it('that nobody touched is as it was, and tells its head', async () => {
    const chain = makeChain();

    const verdict = await verifyAudit(given(chain));

    const head = `6:${chain[5]!.hash}`;
    expect(verdict).toEqual({ clean: true, linked: 6, waiting: 0, head, fault: null });
    expect((await verifyAudit(given(chain), head)).clean).toBe(true);
    expect((await verifyAudit(given([]))).clean).toBe(true);
  });

  it('has one hash for a row, in whatever order the members of its detail come', () => {
    const row = makeRow(1);

    const turned = { ...row, detail: { a: { '1': false, '2': true }, b: 1 } };

    expect(rowHashOf(turned)).toEqual(rowHashOf(row));
    expect(rowHashOf({ ...row, detail: { b: 1, a: { '2': true } } })).not.toEqual(rowHashOf(row));
    expect(rowHashOf({ ...row, detail: [['b', 1]] })).not.toEqual(rowHashOf({ ...row, detail: { b: 1 } }));
  });

  it.each([
    ['seq', 99],
    ['at', '2026-08-01T12:00:00.000009Z'],
    ['act', 'broker.kick'],
    ['outcome', 'refused'],
    ['code', 'forbidden'],
    ['actor', { kind: 'person', id: null, name: 'bob', credentialId: null }],
    ['subject', { kind: 'broker', id: null, name: null }],
    ['address', null],
    ['requestId', 'r'],
    ['detail', {}],
  ])('names the first row whose %s was changed', async (column, value) => {
    const chain = makeChain();
    for (const at of [3, 4]) chain[at] = { ...chain[at]!, entry: { ...chain[at]!.entry!, [column]: value } };

    expect(await faultOf(chain)).toMatchObject({ tampering: 'changed', position: 4, id: chain[3]!.id });
  });

  it('names a row that was changed with the hash in its link', async () => {
    const chain = makeChain();
    const entry = { ...chain[3]!.entry!, act: 'broker.kick' };
    const rowHash = rowHashOf(entry);
    const hash = linkHashOf(Buffer.from(chain[2]!.hash!, 'hex'), 4, rowHash).toString('hex');
    const half = { ...chain[3]!, entry, rowHash: rowHash.toString('hex') };

    const faults = [
      await faultOf(chain.with(3, half)),
      // With its own hash made to fit, it is the next one that follows no more.
      await faultOf(chain.with(3, { ...half, hash })),
    ];

    expect(faults.map((fault) => fault?.position)).toEqual([4, 5]);
  });

  it('names a link whose own hash was changed', async () => {
    const chain = makeChain();

    const fault = await faultOf(chain.with(3, { ...chain[3]!, hash: 'f'.repeat(64) }));

    expect(fault).toMatchObject({ tampering: 'changed', position: 4 });
  });

  it.each([
    ['whose link is left', (chain: AuditItem[]) => chain.with(2, { ...chain[2]!, entry: null })],
    ['with its link', (chain: AuditItem[]) => chain.toSpliced(2, 1)],
    ['with its link, and the rest renumbered', (chain: AuditItem[]) => renumbered(chain.toSpliced(2, 1))],
  ])('names a row that was removed %s', async (_what, remove) => {
    expect(await faultOf(remove(makeChain()))).toMatchObject({ tampering: 'removed', position: 3 });
  });

  it('that was cut off at its end is known by the head that was seen before', async () => {
    const chain = makeChain();
    const head = `6:${chain[5]!.hash}`;

    const cut = chain.slice(0, 4);

    expect(await faultOf(cut)).toBeNull();
    expect(await faultOf(cut, head)).toMatchObject({ tampering: 'removed', position: 5 });
    // All of it made anew fits in itself.
    const anew = makeChain();
    expect(await faultOf(anew)).toBeNull();
    expect(await faultOf(anew, head)).toMatchObject({ tampering: 'changed', position: 6 });
  });

  it.each([
    ['behind a link of its own', (chain: AuditItem[], [item]: AuditItem[]) => chain.toSpliced(2, 0, item!)],
    [
      'with a link that follows',
      (chain: AuditItem[]) => {
        const own = chainOf([...chain.slice(0, 2).map(({ entry }) => entry!), makeRow(50)]);
        return chain.toSpliced(2, 0, own[2]!);
      },
    ],
  ])('names a row that was inserted %s', async (_what, insert) => {
    const chain = renumbered(insert(makeChain(), makeChain(1)));

    const fault = await faultOf(chain);

    // One whose link follows moves the blame to the row behind it, whose place it took.
    expect(fault).toMatchObject({ position: expect.any(Number) });
    expect([3, 4]).toContain(fault!.position);
  });

  it('names a row that was inserted without a link', async () => {
    const entry = makeRow(50);
    const stray = { position: null, id: entry.id, rowHash: null, hash: null, isAwaited: false, entry };

    expect(await faultOf([...makeChain(), stray])).toMatchObject({ tampering: 'inserted', id: entry.id });
  });

  it('holds nothing against a row that waits for its link, but its absence', async () => {
    const entry = makeRow(50);
    const waiting = { position: null, id: entry.id, rowHash: null, hash: null, isAwaited: true, entry };

    const verdict = await verifyAudit(given([...makeChain(), waiting]));

    expect(verdict).toMatchObject({ clean: true, linked: 6, waiting: 1 });
    const gone = await faultOf([...makeChain(), { ...waiting, entry: null }]);
    expect(gone).toMatchObject({ tampering: 'removed', id: entry.id });
  });

  it.each([
    ['neighbours', 2, 3],
    ['rows far from each other', 1, 4],
  ])(
    'names %s that changed places, by row, with their hashes, or link and all',
    async (_what, one, other) => {
      const chain = makeChain();
      const [left, right] = [chain[one]!, chain[other]!];
      const rows = chain
        .with(one, { ...left, entry: right.entry })
        .with(other, { ...right, entry: left.entry });
      const of = ({ id, rowHash, entry }: AuditItem) => ({ id, rowHash, entry });
      const hashes = chain.with(one, { ...left, ...of(right) }).with(other, { ...right, ...of(left) });
      const links = renumbered(chain.with(one, right).with(other, left));

      const faults = [await faultOf(rows), await faultOf(hashes), await faultOf(links)];

      expect(faults.map((fault) => [fault?.tampering, fault?.position])).toEqual(
        Array(3).fill(['reordered', one + 1]),
      );
    },
  );
});

describe('a line of an export', () => {
  const [item] = makeChain(1);

  it.each([
    null,
    'x',
    {},
    { ...item, position: 'first' },
    { ...item, hash: 'f' },
    { ...item, rowHash: null },
    { ...item, isAwaited: 1 },
    { ...item, entry: 5 },
    { ...item, entry: { ...item!.entry, actor: null } },
  ])('that is none is refused: %j', (value) => {
    expect(() => readItem(value, 'line 3')).toThrow(Malformed);
    expect(() => readItem(value, 'line 3')).toThrow('line 3');
  });

  it('is taken as the hub made it', () => {
    expect(readItem(item, 'line 1')).toEqual(item);
  });

  it.each(['', '6', 'x:y', `6:${'F'.repeat(64)}`])('is held against no head like %j', async (head) => {
    await expect(verifyAudit(given([]), head)).rejects.toThrow(Malformed);
  });
});
