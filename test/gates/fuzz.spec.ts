import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { attack } from '../../scripts/fuzz/attack.js';
import { Dice } from '../../scripts/fuzz/dice.js';
import { thrownBy } from '../../scripts/fuzz/requests.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { built } from './support/built.js';
import { run } from './support/program.js';

/** Any will do; `npm run test:fuzz` tries others. */
const SEED = '20260801';

describe('every input before a credential is known', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase({ migrated: false });
  });

  afterAll(() => database.drop());

  it('stands requests by chance: nothing fails, nothing ends, nothing grows', async () => {
    const { code, out, err } = await run(built('scripts/fuzz.js'), ['--cases', '600', '--seed', SEED], {
      env: { DATABASE_URL: database.url },
    });

    expect(err).toBe('');
    expect(out).toMatch(/^seed 20260801: 6\d\d cases; .*400: .*401: .*404: /);
    expect(code).toBe(0);
  });
});

describe('the attack by chance', () => {
  /** Answers each request with this, or ends the connection. */
  async function against(answer: string | undefined) {
    const server: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => (answer === undefined ? socket.destroy() : socket.end(answer)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      return await attack({ seed: 1, cases: 40, untilMs: Infinity, ports: [port] });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }

  it('tells of an answer that says that the hub failed', async () => {
    const { faults } = await against('HTTP/1.1 500 Oh\r\n\r\n');

    expect(faults[0]).toMatch(/^case \d+ of seed 1: 500 to /);
  });

  it('tells of a whole request without an answer', async () => {
    const { faults } = await against(undefined);

    expect(faults[0]).toMatch(/^case \d+ of seed 1: no answer to /);
  });

  it('finds nothing in refusals', async () => {
    expect((await against('HTTP/1.1 400 No\r\n\r\n')).faults).toEqual([]);
  });

  it('throws the same for the same seed', () => {
    const thrown = (seed: number) => Array.from({ length: 50 }, (_, at) => thrownBy(new Dice(seed + at)));

    expect(thrown(5)).toEqual(thrown(5));
    expect(thrown(5)).not.toEqual(thrown(500));
  });
});
