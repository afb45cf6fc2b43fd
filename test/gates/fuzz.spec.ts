import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { CREDENTIALS } from '../../scripts/access/credentials.js';
import { attack } from '../../scripts/fuzz/attack.js';
import { Dice } from '../../scripts/fuzz/dice.js';
import { thrownBy } from '../../scripts/fuzz/requests.js';
import { BODIES, TARGETS } from '../../scripts/fuzz/targets.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { strangersIn } from './support/access-page.js';
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

describe('what is tried by chance', () => {
  /** Measured on a running hub, which another gate holds. */
  const PAGE = readFileSync('docs/access.md', 'utf8');
  /** On its own machine a hub ends for whoever asks. */
  const NEVER = 'POST /internal/v1/drain';

  function untriedIn(page: string): string[] {
    return strangersIn(page).filter((name) => {
      const path = name
        .replace('UPGRADE ', 'GET ')
        .replace(/[.]/g, '\\.')
        .replace(/\*|:\w+/g, '[^/]+');
      return name !== NEVER && !TARGETS.some((target) => new RegExp(`^${path}$`).test(target));
    });
  }

  /** A hub with one more route: what it answers to some credentials, and to all others. */
  function planted(to: Record<string, number>, others: number, listener = 'public'): string {
    const statuses = CREDENTIALS.map(({ column }) => to[column] ?? others);
    const head = `\n## The ${listener} listener\n`;
    return PAGE.replace(head, `${head}\n| \`GET /planted/:id\` | ${statuses.join(' | ')} |\n`);
  }

  it('is every route of those whom the hub does not know by name', () => {
    expect(untriedIn(PAGE)).toEqual([]);
    expect(strangersIn(PAGE).length).toBeGreaterThan(35);
  });

  it.each([
    ['anybody', planted({}, 200)],
    ['nobody, by any credential', planted({}, 401)],
    ['whoever has a secret that is none of these', planted({}, 400)],
    ['brokers', planted({ '**b-ok**': 404 }, 401)],
    ['agents', planted({ '**g-ok**': 200 }, 401)],
    ['replicas', planted({ '**s-ok**': 200 }, 403, 'internal')],
  ])('lacks a new route that lets in %s', (_whom, page) => {
    expect(untriedIn(page)).toEqual(['GET /planted/:id']);
  });

  it('may lack a new route that lets in persons alone', () => {
    const page = planted({ '**p-mem**': 403, '**p-adm**': 200, 'w-bare': 403, '**w-ok**': 200 }, 401);

    expect(page).not.toBe(PAGE);
    expect(untriedIn(page)).toEqual([]);
  });

  it('has every field that a stranger’s body may have', () => {
    type Schema = { properties: object };
    type Operation = { requestBody?: { content: { 'application/json': { schema: { $ref: string } } } } };
    const { paths, components } = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
      paths: Record<string, { post?: Operation }>;
      components: { schemas: Record<string, Schema> };
    };
    const described = strangersIn(PAGE).flatMap((name) => {
      const path = name.replace('POST ', '');
      const body = paths[path]?.post?.requestBody;
      const schema = body?.content['application/json'].schema.$ref.split('/').at(-1);
      return schema === undefined ? [] : [[path, Object.keys(components.schemas[schema]!.properties).sort()]];
    });

    const sent = Object.entries(BODIES).map(([path, body]) => [path, Object.keys(body).sort()]);
    expect(Object.fromEntries(sent)).toEqual(Object.fromEntries(described));
  });
});
