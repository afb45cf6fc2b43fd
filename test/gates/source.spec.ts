import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
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

describe('the linter', () => {
  const FAULTS = `
    import pg from 'pg';
    import { forwardRef } from '@nestjs/common';
    import { DataSource } from 'typeorm';
    export const made = [new pg.Pool(), new DataSource({ type: 'postgres' }), forwardRef(() => pg)];
  `;

  /** Lints a text as if it stood in a file of the project. */
  async function lint(text: string, path: string): Promise<(string | null)[]> {
    const { out } = await run(
      resolve('node_modules/eslint/bin/eslint.js'),
      ['--stdin', '--stdin-filename', path, '--format', 'json'],
      { input: text },
    );
    const [report] = JSON.parse(out) as { messages: { ruleId: string | null; line: number }[] }[];
    return report?.messages.map(({ ruleId, line }) => `${ruleId ?? ''}:${line}`) ?? [];
  }

  let anywhere: (string | null)[];
  let inDatabase: (string | null)[];

  beforeAll(async () => {
    anywhere = await lint(FAULTS, 'src/hub/dispatch/state.ts');
    inDatabase = await lint(FAULTS, 'src/hub/database/data-source.ts');
  }, 60_000);

  it('fires on a driver of the database outside of its module', () => {
    expect(anywhere).toContain('@typescript-eslint/no-restricted-imports:2');
  });

  it('fires on a second pool', () => {
    expect(anywhere).toContain('no-restricted-syntax:5');
  });

  it('fires on a forward reference, in whatever module', () => {
    expect(anywhere).toContain('no-restricted-syntax:3');
    expect(inDatabase).toContain('no-restricted-syntax:3');
  });

  it('lets the module of the database make its connections', () => {
    expect(inDatabase).not.toContain('@typescript-eslint/no-restricted-imports:2');
  });
});
