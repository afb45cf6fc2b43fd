import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

const FILE = 'docs/openapi.json';

describe('the gate on the description of the API', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase({ migrated: false });
  });

  afterAll(() => database.drop());

  async function check(content: string) {
    const tree = new Tree({ [FILE]: content });
    try {
      return await run(built('scripts/openapi.js'), ['--check'], {
        cwd: tree.path,
        env: { DATABASE_URL: database.url },
      });
    } finally {
      tree.remove();
    }
  }

  it('passes what is committed', async () => {
    const { code, err } = await check(readFileSync(FILE, 'utf8'));

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it('fires on a route that is told of otherwise', async () => {
    const { code, err } = await check(
      readFileSync(FILE, 'utf8').replace('"/api/v1/brokers"', '"/api/v1/machines"'),
    );

    expect(code).toBe(1);
    expect(err).toContain('/api/v1/machines');
    expect(err).toContain('npm run openapi:write');
  });
});
