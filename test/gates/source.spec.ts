import { describe, expect, it } from '@jest/globals';
import { built } from './support/built.js';
import { run, type Outcome } from './support/program.js';
import { Tree } from './support/tree.js';

describe('the gate on names and words', () => {
  async function check(files: Record<string, string>): Promise<Outcome> {
    const tree = new Tree(files);
    try {
      return await run(built('scripts/source.js'), [], { cwd: tree.path });
    } finally {
      tree.remove();
    }
  }

  it('passes the project', async () => {
    const { code, err } = await run(built('scripts/source.js'), []);

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it.each([
    'src/hub/common/a.ts',
    'src/utils.ts',
    'test/shared/a.spec.ts',
    'src/helper.spec.ts',
    'src/core/b.ts',
    'src/hub/dispatch/index.ts',
  ])('fires on the name %s', async (path) => {
    const { code, err } = await check({ [path]: '' });

    expect(code).toBe(1);
    expect(err).toContain(path);
  });

  it.each(['TO', 'FIX'].map((start, index) => `${start}${['DO', 'ME'][index] ?? ''}`))(
    'fires on the word %s, and says where',
    async (word) => {
      const { code, err } = await check({ 'src/a.ts': `one\n// ${word}: two\n` });

      expect(code).toBe(1);
      expect(err).toContain('src/a.ts:2:');
    },
  );

  it('lists a long file, and lets it pass', async () => {
    const { code, out } = await check({ 'src/a.ts': 'line\n'.repeat(401) });

    expect(code).toBe(0);
    expect(out).toContain('src/a.ts: 402 lines');
  });
});
