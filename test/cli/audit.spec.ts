import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { FIRST_HASH, linkHashOf, rowHashOf, type ChainedRow } from '../../src/hub/auth/audit-chain.js';
import * as program from '../../src/hub/verify/main.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-audit-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const row = (seq: number): ChainedRow => ({
  seq,
  id: randomUUID(),
  at: '2026-08-01T12:00:00.000001Z',
  act: 'broker.cordon',
  outcome: 'done',
  code: null,
  actor: { kind: 'person', id: randomUUID(), name: 'ann', credentialId: randomUUID() },
  subject: { kind: 'broker', id: randomUUID(), name: 'build-1' },
  address: null,
  requestId: null,
  detail: {},
});

let hash: Buffer = FIRST_HASH;
const ITEMS = [row(1), row(2), row(3)].map((entry, at) => {
  const rowHash = rowHashOf(entry);
  hash = linkHashOf(hash, at + 1, rowHash);
  const hashes = { rowHash: rowHash.toString('hex'), hash: hash.toString('hex') };
  return { position: at + 1, id: entry.id, ...hashes, isAwaited: false, entry };
});
const PAGES: Answer[] = [
  { body: { items: ITEMS.slice(0, 2), nextAfter: 2 } },
  { body: { items: ITEMS.slice(2), nextAfter: null } },
];

async function ask(argv: string[], ...answers: Answer[]) {
  const hub = await ScriptedHub.open(...answers);
  try {
    const env = { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN };
    const ran = await runCli(['audit', ...argv], {
      env,
      programs: { verify: () => Promise.resolve(program) },
    });
    return { ...ran, asked: hub.asked.map(({ path }) => path) };
  } finally {
    await hub.close();
  }
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const lines = (items: readonly unknown[]) => items.map((item) => JSON.stringify(item)).join('\n');

describe('fairlead audit export', () => {
  it('prints every row with its link, over all pages', async () => {
    const ran = await ask(['export'], ...PAGES);

    expect(ran.out).toBe(`${lines(ITEMS)}\n`);
    expect(ran.asked).toEqual([
      '/api/v1/audit/export?after=0&limit=500',
      '/api/v1/audit/export?after=2&limit=500',
    ]);
  });
});

describe('fairlead audit verify', () => {
  it('asks the hub, tells the head, and ends with 0 where the audit is as it was', async () => {
    const ran = await ask(['verify'], ...PAGES);

    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(new RegExp(`rows as they were +3\nnot linked yet +0\nhead +3:${ITEMS[2]!.hash}`));
  });

  it('names the first row of a file that was changed, and ends with 1', async () => {
    const changed = { ...ITEMS[1]!, entry: { ...ITEMS[1]!.entry, act: 'broker.kick' } };

    const ran = await ask(['verify', '--file', file('changed', lines(ITEMS.with(1, changed)))]);

    expect(ran.code).toBe(1);
    expect(ran.out).toContain(`the row at 2, ${changed.id}, was changed: `);
    expect(ran.asked).toEqual([]);
  });

  it('holds a file against the head that was seen before', async () => {
    const cut = file('cut', lines(ITEMS.slice(0, 2)));

    const ran = await ask(['verify', '--json', '--file', cut, '--head', `3:${ITEMS[2]!.hash}`]);

    expect(ran.code).toBe(1);
    expect(ran.json()).toMatchObject({
      clean: false,
      linked: 2,
      fault: { tampering: 'removed', position: 3 },
    });
  });

  it.each([
    ['a file that is not there', ['--file', '/nowhere']],
    ['a line that is no row', ['--file', file('other', '{}')]],
    ['a head that is none', ['--file', file('good', lines(ITEMS)), '--head', '3']],
  ])('ends with 2 for %s', async (_what, argv) => {
    const ran = await ask(['verify', ...argv]);

    expect(ran).toMatchObject({ code: 2, out: '' });
  });

  it('ends with 3 for who may not read the audit', async () => {
    expect((await ask(['verify'], problem('forbidden'))).code).toBe(3);
  });
});
