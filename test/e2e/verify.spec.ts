import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Verdict } from '../../src/hub/verify/main.js';
import { Cluster } from '../support/cluster.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

const PINGS = 12;

describe('the proof of what a cluster of two replicas did', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;
  let folder: string;
  const effects: object[] = [];
  const answers: object[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    folder = mkdtempSync(join(tmpdir(), 'fairlead-proof-'));
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    await work();
  });

  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  /** Commands by both replicas; after each third the broker moves, and what it held is adopted or put back. */
  async function work(): Promise<void> {
    for (let index = 0; index < PINGS; index += 1) {
      let link = await broker.connect(cluster.hub(index % 2).url);
      const key = randomUUID();
      const submittedAt = new Date().toISOString();
      const answer = cluster.api((index + 1) % 2).ping(broker.name, { waitS: 10, key });
      let dispatch = await link.nextDispatch();
      if (index % 3 === 0) {
        link.cut();
        const inventory = [{ id: dispatch.id, attempt: dispatch.attempt, status: 'running' as const }];
        link = await broker.connect(cluster.hub((index + 1) % 2).url, index % 2 === 0 ? inventory : []);
        if (index % 2 === 1) dispatch = await link.nextDispatch();
      }
      link.ack(dispatch);
      effects.push({
        dispatchId: dispatch.id,
        at: new Date().toISOString(),
        brokerId: broker.id,
        op: 'broker.ping',
      });
      link.succeed(dispatch, { time: 'now' });
      const { body } = await answer;
      const { id, state } = body.dispatch;
      answers.push({
        dispatchId: id,
        idempotencyKey: key,
        state,
        submittedAt,
        answeredAt: new Date().toISOString(),
      });
      await link.close();
    }
  }

  function file(name: string, lines: readonly object[]): string {
    const path = join(folder, name);
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  }

  async function fairlead(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    const env = {
      PATH: process.env.PATH,
      FAIRLEAD_HOME: folder,
      FAIRLEAD_URL: cluster.hub(0).url,
      FAIRLEAD_TOKEN: cluster.administratorToken,
    };
    return new Promise((resolve) => {
      execFile(process.execPath, [FAIRLEAD, ...argv], { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
      });
    });
  }

  async function verdictOf(...argv: string[]): Promise<Verdict & { code: number }> {
    const { code, out, err } = await fairlead('verify', '--json', ...argv);
    if (!out.startsWith('{')) throw new Error(`no verdict: ${out}${err}`);
    return { ...(JSON.parse(out) as Verdict), code };
  }

  const evidence = () => [
    '--settled',
    '--witness',
    file('effects', effects),
    '--answers',
    file('answers', answers),
  ];
  const HOLDS = { code: 0, clean: true, dispatches: PINGS, ended: PINGS, effects: PINGS, answers: PINGS };

  it('holds by the API, by the database and by a file, with all evidence', async () => {
    const exported = await fairlead('trails', 'export');
    const dump = join(folder, 'dump');
    writeFileSync(dump, exported.out);

    expect(await verdictOf(...evidence())).toMatchObject(HOLDS);
    expect(await verdictOf(...evidence(), '--database', cluster.database.url)).toMatchObject(HOLDS);
    expect(await verdictOf(...evidence(), '--file', dump)).toMatchObject(HOLDS);
    expect(exported.err).toContain(`${PINGS} trails.`);
  });

  it('finds an effect that nobody saw, one too many, and an answer that was a lie', async () => {
    const [first, second, ...others] = effects;
    const [told] = answers;
    const changed = file('changed', [second!, ...others, second!]);
    const lies = file('lies', [{ ...told, state: 'failed' }]);

    const verdict = await verdictOf('--witness', changed, '--answers', lies);

    expect(first).toBeDefined();
    expect(verdict).toMatchObject({ code: 1, byRule: { effect_missing: 1, effect_once: 1, answer_true: 1 } });
  });

  it('gives trails oldest first, in pages that a filter is bound to', async () => {
    const all: { id: string }[] = [];
    const query = `broker=${broker.name}&since=2020-01-01T00:00:00.000Z&until=2100-01-01T00:00:00.000Z&limit=5`;
    for (let cursor: string | null = ''; cursor !== null;) {
      const { status, body }: { status: number; body: any } = await cluster
        .api(1)
        .get(`/api/v1/trails?${query}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      all.push(...body.items);
      cursor = body.nextCursor;
    }

    const ids = all.map(({ id }) => id);
    expect(ids).toEqual(answers.map((answer) => (answer as { dispatchId: string }).dispatchId));
    const { body: page } = await cluster.api(0).get('/api/v1/trails?limit=5');
    const other = await cluster.api(0).get(`/api/v1/trails?broker=${broker.name}&cursor=${page.nextCursor}`);
    expect(other).toMatchObject({ status: 400, body: { fields: [{ path: 'cursor' }] } });
    const bounds = ['since=2100-01-01T00:00:00Z', 'until=2020-01-01T00:00:00Z'];
    for (const bound of bounds)
      expect((await cluster.api(0).get(`/api/v1/trails?${bound}`)).body.items).toEqual([]);
    expect((await cluster.api(0).get('/api/v1/trails?since=yesterday')).status).toBe(400);
    expect((await cluster.api(0).get('/api/v1/trails?since=2026-01-01T00:00:60Z')).status).toBe(400);
  });

  it('takes the cursor of a list of dispatches that every filter narrows', async () => {
    const { body: project } = await cluster.api(0).post('/api/v1/projects', { name: 'narrow' });
    const filter = {
      brokerId: broker.id,
      projectId: project.id,
      agentId: randomUUID(),
      state: 'succeeded',
      op: 'broker.ping',
    };
    const cursor = Buffer.from(`dispatches ${JSON.stringify(filter)}:${randomUUID()}`).toString('base64url');
    const query = `broker=${filter.brokerId}&project=narrow&agent=${filter.agentId}&state=${filter.state}&op=${filter.op}&cursor=${cursor}`;

    expect((await cluster.api(0).get(`/api/v1/dispatches?${query}`)).status).toBe(200);
  });

  it('sees a row that was left behind, and a trail that was changed, in the rows themselves', async () => {
    const [one, other] = answers as { dispatchId: string }[];
    const client = new pg.Client(cluster.database.url);
    await client.connect();
    try {
      const columns = `id, broker_id, agent_id, op, args, lane, ordering_key, attempt, failures, max_failures,
        deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator, trail, created_at`;
      await client.query(
        `insert into broker_dispatch (${columns}, state) select ${columns}, 'running' from broker_dispatch_history where id = $1`,
        [one?.dispatchId],
      );
      await client.query(`update broker_dispatch_history set trail = trail[:1] || trail[3:] where id = $1`, [
        other?.dispatchId,
      ]);

      const verdict = await verdictOf('--database', cluster.database.url);

      expect(verdict.dispatches).toBe(PINGS);
      const found = verdict.violations.map(({ rule, dispatchId }) => [rule, dispatchId]);
      expect(found).toContainEqual(['one_ending', one?.dispatchId]);
      expect(found).toContainEqual(['legal_path', other?.dispatchId]);
    } finally {
      await client.query('delete from broker_dispatch').catch(() => undefined);
      await client.end();
    }
  });

  it('has no verdict on a database that is not that of a hub', async () => {
    const url = new URL(cluster.database.url);
    url.pathname = '/postgres';

    const { code, err } = await fairlead('verify', '--database', url.href);

    expect(code).toBe(2);
    expect(err).toContain('the database is not that of a hub');
  });
});
