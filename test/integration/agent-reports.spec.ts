import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { AgentRepository } from '../../src/hub/agents/agent.repository.js';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { Database } from '../../src/hub/database/database.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import type { AgentReport } from '../../src/protocol/frame.js';
import { RESTARTS } from '../../src/protocol/op.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

let database: TestDatabase;
let sql: pg.Client;
let app: NestFastifyApplication;
let token: string;
const brokerId = randomUUID();

beforeAll(async () => {
  database = await createDatabase();
  sql = new pg.Client(database.url);
  await sql.connect();
  app = await makeHub(
    readConfig({
      DATABASE_URL: database.url,
      FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
      FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
      FAIRLEAD_LISTEN: '127.0.0.1:0',
      FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
      FAIRLEAD_LOG_LEVEL: 'silent',
    }),
  );
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  token = String(await app.get(FirstBoot).ensureAdministrator());
});

afterAll(async () => {
  await app.close();
  await app.get(DataSource).destroy();
  await app.get(DatabaseServer).close();
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

describe('what a broker reports of an agent', () => {
  let agentId: string;
  let runId: string;

  beforeEach(async () => {
    [agentId, runId] = [randomUUID(), randomUUID()];
    await sql.query(
      `insert into agent (id, name, broker_id, runtime, spec, wanted, phase, run_id)
       values ($1, $2, $3, 'process', '{}', 'running', 'starting', $4)`,
      [agentId, `a-${agentId}`, brokerId, runId],
    );
  });

  const take = (report: Partial<AgentReport>) =>
    app
      .get(AgentRepository)
      .takeReports([
        { agentId, runId, phase: 'running', exitCode: null, detail: null, restarts: 0, ...report, brokerId },
      ]);
  const agent = async () =>
    (
      await sql.query(
        'select phase, exit_code::int as "exitCode", detail, restarts, revision from agent where id = $1',
        [agentId],
      )
    ).rows[0] as object;
  const second = { restarts: 2, exitCode: 3, detail: 'Restart 2: It ended with exit code 3.' };

  it('shows each restart of its run, while it stays running', async () => {
    await take({});
    await take({ restarts: 1, exitCode: 4, detail: 'first' });

    await take(second);

    expect(await agent()).toEqual({ phase: 'running', ...second, revision: 4 });
  });

  it('changes nothing where it comes again, or late after a newer restart', async () => {
    await take(second);
    const before = await agent();

    await take(second);
    await take({ restarts: 1, exitCode: 4, detail: 'first' });
    await take({});

    expect(await agent()).toEqual(before);
  });

  it.each(['stopping', 'stopped', 'failed'] as const)(
    'of a restart that comes after it was %s does not take that back',
    async (phase) => {
      await take({ phase, restarts: 1 });
      const before = await agent();

      await take(second);

      expect(await agent()).toEqual(before);
    },
  );

  it('keeps the count when the run is over, and begins anew with the next run', async () => {
    await take(second);
    await take({ phase: 'failed', exitCode: 3, detail: 'over', restarts: 2 });
    expect(await agent()).toMatchObject({ phase: 'failed', restarts: 2 });

    const to = {
      phase: 'starting',
      wanted: 'running',
      runId: randomUUID(),
      dispatchId: randomUUID(),
    } as const;
    const db = app.get(Database);
    await app.get(AgentRepository).step((statement, values) => db.run(statement, values), agentId, to, []);

    expect(await agent()).toMatchObject({ phase: 'starting', restarts: 0, exitCode: null, detail: null });
  });
});

describe('the spec of an agent', () => {
  const create = async (spec: object) => {
    const payload = { name: `s-${randomUUID()}`, broker: brokerId, spec: { command: 'true', ...spec } };
    const headers = { authorization: `Bearer ${token}` };
    const response = await app.inject({ method: 'POST', url: '/api/v1/agents', headers, payload });
    return { status: response.statusCode, body: response.json() };
  };

  // The broker is not there, and is looked for once the spec is found to be right.
  it.each<[string, object]>([
    ['nothing but a command', {}],
    ['no restarts', { restart: { policy: 'never' } }],
    ['a policy alone', { restart: { policy: 'always' } }],
    [
      'as many restarts as there may be',
      { restart: { policy: 'on-failure', maxRestarts: RESTARTS.maxMost } },
    ],
    ['the largest limits', { limits: { residentMb: 16_777_216, processes: 65_536, outputMb: 16_777_216 } }],
    [
      'the smallest limits',
      { limits: { residentMb: 1, processes: 1, outputMb: 1, openFiles: 16, memoryMb: 16 } },
    ],
  ])('is taken with %s', async (_what, spec) => {
    expect(await create(spec)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it.each<[object, string]>([
    [{ restart: { policy: 'sometimes' } }, 'spec.restart.policy'],
    [{ restart: { policy: 'always', maxRestarts: 0 } }, 'spec.restart.maxRestarts'],
    [{ restart: { policy: 'always', maxRestarts: RESTARTS.maxMost + 1 } }, 'spec.restart.maxRestarts'],
    [{ restart: { policy: 'always', maxRestarts: 1.5 } }, 'spec.restart.maxRestarts'],
    [{ limits: { memoryMb: 15 } }, 'spec.limits.memoryMb'],
    [{ limits: { memoryMb: 16_777_217 } }, 'spec.limits.memoryMb'],
    [{ limits: { residentMb: 0 } }, 'spec.limits.residentMb'],
    [{ limits: { residentMb: 16_777_217 } }, 'spec.limits.residentMb'],
    [{ limits: { processes: 0 } }, 'spec.limits.processes'],
    [{ limits: { processes: 65_537 } }, 'spec.limits.processes'],
    [{ limits: { openFiles: 15 } }, 'spec.limits.openFiles'],
    [{ limits: { openFiles: 1_048_577 } }, 'spec.limits.openFiles'],
    [{ limits: { cpuSeconds: 0 } }, 'spec.limits.cpuSeconds'],
    [{ limits: { cpuSeconds: 31_536_001 } }, 'spec.limits.cpuSeconds'],
    [{ limits: { wallSeconds: 31_536_001 } }, 'spec.limits.wallSeconds'],
    [{ limits: { outputMb: 0 } }, 'spec.limits.outputMb'],
    [{ limits: { outputMb: 16_777_217 } }, 'spec.limits.outputMb'],
  ])('is refused just past a cap, by the name of the field: %j', async (spec, path) => {
    const { status, body } = await create(spec);

    expect({ status, code: body.code }).toEqual({ status: 400, code: 'request_invalid' });
    expect(JSON.stringify(body)).toContain(path);
  });
});
