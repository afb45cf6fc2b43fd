import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

const FOLDER = 'docs/sql';
const CLAIM = join(FOLDER, 'dispatch-claim.sql');

describe('the gate on SQL', () => {
  const trees: Tree[] = [];

  afterEach(() => trees.splice(0).forEach((tree) => tree.remove()));

  function committed(): Record<string, string> {
    const files = readdirSync(FOLDER).map((name) => join(FOLDER, name));
    return Object.fromEntries(files.map((path) => [path, readFileSync(path, 'utf8')]));
  }

  async function check(files: Record<string, string>) {
    const tree = new Tree(files);
    trees.push(tree);
    return run(built('scripts/sql.js'), ['--check'], { cwd: tree.path });
  }

  it('passes what is committed', async () => {
    const { code, err } = await check(committed());

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it('fires on a statement that was changed in one place, and says where', async () => {
    const files = committed();
    files[CLAIM] = files[CLAIM]?.replace('skip locked', 'nowait') ?? '';

    const { code, err } = await check(files);

    expect(code).toBe(1);
    expect(err).toMatch(/dispatch-claim\.sql:\d+: differs\n.*nowait\n.*skip locked/);
    expect(err).toContain('npm run sql:write');
  });

  it('fires on a file that is missing', async () => {
    const { [CLAIM]: _gone, ...rest } = committed();

    const { code, err } = await check(rest);

    expect(code).toBe(1);
    expect(err).toContain(`${CLAIM}: missing`);
  });

  it('fires on a file that nothing makes any more', async () => {
    const { code, err } = await check({ ...committed(), [join(FOLDER, 'old.sql')]: 'select 1;\n' });

    expect(code).toBe(1);
    expect(err).toContain('old.sql: nothing in the code makes it');
  });
});
