import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { rowsIn } from './support/access-page.js';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

const FILE = 'docs/access.md';
const PAGE = readFileSync(FILE, 'utf8');
const [BY_CREDENTIAL = '', BY_PROJECT = ''] = PAGE.split('\n## What is of another project\n');

/** Routes without a credential, by what their body or their being there is for. */
const OPEN = [
  'GET /api/v1/openapi.json',
  'GET /docs',
  'GET /docs-yaml',
  'GET /docs/*',
  'GET /device',
  'GET /invite',
  'GET /pages/device.js',
  'GET /pages/invite.js',
  'GET /pages/page.css',
  'GET /pages/signed-in.js',
  'GET /signed-in',
  'GET /api/v1/oidc',
  'GET /api/v1/oidc/begin',
  'GET /api/v1/oidc/callback',
  'GET /.well-known/jwks.json',
  'GET /livez',
  'GET /readyz',
];
const BY_BODY = [
  'POST /api/v1/brokers/join',
  'POST /api/v1/brokers/rotate-key',
  'POST /api/v1/brokers/token',
];
/** Whose body is a secret that is no credential of a header: what is shown beside it counts for nothing. */
const BY_SECRET = [
  'POST /api/v1/device-grants',
  'POST /api/v1/device-grants/redeem',
  'POST /api/v1/invites/redeem',
  'POST /api/v1/sessions',
  'POST /api/v1/sessions/refresh',
  'POST /api/v1/web-sessions',
];
const BY_BROKER = [
  'UPGRADE /api/v1/control',
  'POST /api/v1/control/poll',
  'POST /api/v1/brokers/agent-tokens',
];
const BY_AGENT = ['GET /api/v1/self', 'GET /api/v1/self/messages'];
const OF_REPLICAS = ['POST /internal/v1/link', 'POST /internal/v1/self'];

describe('the gate on who may ask what', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase({ migrated: false });
  });

  afterAll(() => database.drop());

  it('asks every route of a running hub with every credential, and fires where the page says otherwise', async () => {
    // In its last row: whatever else differed would be told of before.
    const lied = PAGE.replace(/404 \| 404 \| 200 \| 200 \|\n$/, '404 | 200 | 200 | 200 |\n');
    const tree = new Tree({ [FILE]: lied });

    const { code, err } = await run(built('scripts/access.js'), ['--check'], {
      cwd: tree.path,
      env: { DATABASE_URL: database.url },
    });

    tree.remove();
    expect(lied).not.toBe(PAGE);
    expect(code).toBe(1);
    expect(err).toContain(`${FILE}:${PAGE.split('\n').length - 1}: differs`);
    expect(err).toContain('npm run access:write');
  });
});

describe('every route asked with every kind of credential', () => {
  const rows = rowsIn(BY_CREDENTIAL);
  const internal = rows.findIndex(({ name }) => name.includes('/internal/')) - 1;
  const ofPersons = rows
    .slice(0, internal)
    .filter(({ name }) => ![...OPEN, ...BY_BODY, ...BY_SECRET, ...BY_BROKER, ...BY_AGENT].includes(name));
  /** The columns under which a row answers other than with a refusal. */
  const letIn = (name: string) =>
    [...rows.find((row) => row.name === name)!.statuses]
      .filter(([, status]) => ![400, 401, 403].includes(status))
      .map(([column]) => column);

  it('of a person lets in a personal token and a session alone, and answers 401 to whatever else', () => {
    const strange = ofPersons.filter(({ statuses }) =>
      [...statuses].some(([column, status]) => !/p-(mem|adm)|w-(bare|ok)/.test(column) && status !== 401),
    );

    expect(strange).toEqual([]);
    expect(ofPersons.length).toBeGreaterThan(50);
  });

  it('of a person changes nothing for a cookie without the proof that a page of the hub has asked', () => {
    const bare = ofPersons.map(({ name, statuses }) => [name, statuses.get('w-bare')]);

    const changing = bare.filter(([name]) => !String(name).startsWith('GET '));
    expect(changing.filter(([, status]) => status !== 403)).toEqual([]);
    expect(changing.length).toBeGreaterThan(30);
    expect(bare.filter(([, status]) => status === 401)).toEqual([]);
  });

  it('of a person is never refused to an administrator', () => {
    const refused = ofPersons.filter(({ statuses }) =>
      ['**p-adm**', '**w-ok**'].some((column) => [401, 403].includes(statuses.get(column)!)),
    );

    expect(refused).toEqual([]);
  });

  it('whose credential is its body takes the one kind that belongs there', () => {
    expect(BY_BODY.map(letIn)).toEqual([['**j-ok**'], ['**a-ok**'], ['**a-ok**']]);
  });

  it('whose body is a secret takes no credential in its place', () => {
    const statuses = BY_SECRET.map((name) => rows.find((row) => row.name === name)!.statuses);

    expect(statuses.map((each) => [...new Set(each.values())])).toEqual(BY_SECRET.map(() => [400]));
  });

  it('of brokers takes an access token of this hub that has not ended', () => {
    expect(BY_BROKER.map(letIn)).toEqual(BY_BROKER.map(() => ['**b-ok**']));
  });

  it('of agents takes the token of one whose run goes on, and nothing else', () => {
    expect(BY_AGENT.map(letIn)).toEqual(BY_AGENT.map(() => ['**g-ok**']));
  });

  it('of whoever else takes the token of no agent', () => {
    const byAgents = rows
      .filter(({ name }) => ![...OPEN, ...BY_AGENT].includes(name) && letIn(name).includes('**g-ok**'))
      .map(({ name }) => name);

    expect(byAgents).toEqual([]);
  });

  it('of replicas takes what is signed for this very call, once', () => {
    expect(OF_REPLICAS.map(letIn)).toEqual([['**s-ok**'], ['**s-ok**']]);
  });

  it('never fails, whatever it is shown', () => {
    const failed = rows.filter(({ statuses }) => [...statuses.values()].some((status) => status >= 500));

    expect(failed).toEqual([]);
  });
});

describe('what is of a project', () => {
  const rows = [...BY_PROJECT.matchAll(/^\| `([A-Z]+ \/.*?)` \| (.*) \|$/gm)].map(([, name, cells]) => {
    const [other = '', only = '', own = '', hub = ''] = cells!.split(' | ');
    return { name: name!, other, only, own, hub };
  });
  const NOTHING = ['404', 'nothing'];

  it('is there for its own, and for the administrators of the hub', () => {
    const wrong = rows.filter(
      ({ own, hub }) => NOTHING.includes(own) || [...NOTHING, '401', '403'].includes(hub),
    );

    expect(wrong).toEqual([]);
    expect(rows.length).toBeGreaterThan(45);
  });

  it('is not there for those of another project, who are refused only what is the business of the hub', () => {
    const wrong = rows.filter(({ other, only, own }) =>
      [other, only].some((answer) => !(own === '403' ? ['403'] : NOTHING).includes(answer)),
    );

    expect(wrong).toEqual([]);
  });
});
