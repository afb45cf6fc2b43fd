import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { printedBy } from '../support/printed.js';

const DRILL = resolve('dist/scripts/drill/main.js');
const RANGE = '{ min: 1, max: 1 }';

describe('two releases side by side, of which one speaks one version of the wire more', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-mixed-'));
  const other = join(folder, 'dist');

  beforeAll(() => {
    for (const name of ['dist', 'migrations', 'package.json', 'docs'])
      cpSync(resolve(name), join(folder, name), { recursive: true });
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    const version = join(other, 'src/protocol/version.js');
    const text = readFileSync(version, 'utf8');
    if (!text.includes(RANGE)) throw new Error('the range of versions stands elsewhere now');
    writeFileSync(version, text.replace(RANGE, '{ min: 1, max: 2 }'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('can be rolled forward and back under load: no call is refused, nothing is lost, doubled or reordered', async () => {
    const load = ['--replicas', '2', '--brokers', '8', '--rate', '40'];
    const figures = await printedBy([DRILL, 'versions', '--other', other, ...load]);

    expect(figures).toMatchObject({
      ...{ code: 0, ok: true, refused: 0, lost: 0, duplicated: 0, reordered: 0, irregular: 0, unknown: 0 },
      acts: { versions: { steps: [{ protocols: [1, 2] }] } },
    });
    expect(figures.effects).toBe(figures.commands);
  }, 400_000);
});
