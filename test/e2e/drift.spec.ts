import { createHash, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join as inFolder } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import pg from 'pg';
import { agentsDigestText } from '../../src/protocol/agents-digest.js';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import type { AgentReport } from '../../src/protocol/frame.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { atOnce } from '../support/at-once.js';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

const CAPABILITIES = { capabilities: ['runtime.process', 'agents'] };
const BUSY = { withinMs: 20_000 };

/** Brokers are linked to the second replica; whoever asks, asks the first. */
describe('what a broker runs', () => {
  let cluster: Cluster;
  let sql: pg.Pool;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    sql = new pg.Pool({ connectionString: cluster.database.url, max: 2 });
  }, 60_000);

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  const it = atOnce();
  const api = () => cluster.api(0);
  const agent = async (id: string) => (await api().get(`/api/v1/agents/${id}`)).body;
  const strays = async (broker: ScriptedBroker) =>
    (await api().get(`/api/v1/strays?broker=${broker.name}`)).body.items;

  /** An agent on record, with a run. */
  async function plant(broker: ScriptedBroker, over: Record<string, unknown> = {}): Promise<AgentReport> {
    const [agentId, runId] = [randomUUID(), randomUUID()];
    const columns = {
      id: agentId,
      name: `a-${agentId.slice(0, 13)}`,
      broker_id: broker.id,
      runtime: 'process',
      spec: { command: 'true', environment: {}, restart: { policy: 'never', maxRestarts: 5 } },
      wanted: 'running',
      phase: 'running',
      run_id: runId,
      ...over,
    };
    const places = Object.keys(columns).map((_name, index) => `$${index + 1}`);
    await sql.query(
      `insert into agent (${Object.keys(columns).join(', ')}) values (${places.join(', ')})`,
      Object.values(columns),
    );
    return report(agentId, runId);
  }

  const report = (agentId: string = randomUUID(), runId: string = randomUUID()): AgentReport => ({
    agentId,
    runId,
    phase: 'running',
    exitCode: null,
    detail: null,
    restarts: 0,
  });

  /** Tells all of its agents at once and whenever it is asked to. */
  class Teller {
    asked = 0;
    constructor(
      readonly link: ScriptedLink,
      readonly agents: AgentReport[],
    ) {
      this.tell();
      void this.answer().catch(() => undefined);
    }

    tell(): void {
      this.link.send({ t: 'event', agents: this.agents, list: 'last' });
    }

    beat(digest: string): void {
      this.link.send({ t: 'heartbeat', health: 'online', load: null, running: 0, agents: digest });
    }

    private async answer(): Promise<void> {
      for (;;) {
        await this.link.next('agents_wanted', 60_000);
        this.asked += 1;
        this.tell();
      }
    }
  }

  /** Passes the deadline of a command, and waits until that is on record. */
  async function expire(id: string): Promise<void> {
    await sql.query(`update broker_dispatch set deadline_at = now() - interval '1 second' where id = $1`, [
      id,
    ]);
    await eventually(async () => (await api().dispatch(id)).state === 'expired', BUSY);
  }

  const join = () => ScriptedBroker.join(api(), cluster.hub(0).url);
  const connect = (broker: ScriptedBroker) => broker.connect(cluster.hub(1).url, [], CAPABILITIES);
  const digestOf = (agents: AgentReport[]) =>
    createHash('sha256').update(agentsDigestText(agents)).digest('hex');

  it('ends a run as failed that should run there and that it does not know, with a reason to act on', async () => {
    const broker = await join();
    const [lost, kept] = [await plant(broker), await plant(broker)];
    const { link } = new Teller(await connect(broker), [kept]);

    const ended = await eventually(async () => {
      const found = await agent(lost.agentId);
      return found.phase === 'failed' && found;
    }, BUSY);

    expect(ended).toMatchObject({ wanted: 'running', exitCode: null });
    expect(ended.detail).toContain('look at the machine, then start the agent again');
    expect(await agent(kept.agentId)).toMatchObject({ phase: 'running', revision: 1 });
    await link.close();
  });

  it('is started again where the policy of an agent that had run for a minute says so', async () => {
    const broker = await join();
    const spec = { command: 'true', environment: {}, restart: { policy: 'always', maxRestarts: 5 } };
    const long = await plant(broker, { spec, updated_at: new Date(Date.now() - 61_000) });
    const short = await plant(broker, { spec });
    const { link } = new Teller(await connect(broker), []);

    const { op, args } = await link.nextDispatch(BUSY.withinMs);

    expect({ op, agentId: args.agentId }).toEqual({ op: 'agent.start', agentId: long.agentId });
    expect(args.runId).not.toBe(long.runId);
    expect(await agent(long.agentId)).toMatchObject({ phase: 'starting', runId: args.runId });
    await eventually(async () => (await agent(short.agentId)).phase === 'failed', BUSY);
    await link.close();
  });

  it('is not lost while the command that is to start it waits', async () => {
    const broker = await join();
    const link = await connect(broker);
    const { body: made } = await api().post('/api/v1/agents', {
      name: `slow-${broker.name}`,
      broker: broker.id,
      spec: { command: 'true' },
    });
    const { body } = await api().post(`/api/v1/agents/${made.id}/start`);
    const lost = await plant(broker);
    const teller = new Teller(link, []);

    await eventually(async () => (await agent(lost.agentId)).phase === 'failed', BUSY);

    expect(await agent(made.id)).toMatchObject({ phase: 'starting', dispatchId: body.dispatch.id });
    await teller.link.close();
  });

  it('never moves a phase back, and moves it on by the next list where a report was lost', async () => {
    const broker = await join();
    const [late, ended] = [
      await plant(broker, { phase: 'stopping' }),
      await plant(broker, { phase: 'running' }),
    ];
    const [stopped, deleted] = [
      await plant(broker, { phase: 'stopped' }),
      await plant(broker, { phase: 'deleting' }),
    ];
    const told: AgentReport[] = [
      { ...late, phase: 'starting' },
      { ...ended, phase: 'failed', exitCode: 3, detail: 'It ended with exit code 3.' },
      { ...stopped, phase: 'failed' },
      deleted,
    ];
    const { link } = new Teller(await connect(broker), told);

    await eventually(async () => (await agent(ended.agentId)).phase === 'failed', BUSY);

    expect(await agent(ended.agentId)).toMatchObject({ exitCode: 3, detail: 'It ended with exit code 3.' });
    expect(await agent(late.agentId)).toMatchObject({ phase: 'stopping', revision: 1 });
    expect(await agent(stopped.agentId)).toMatchObject({ phase: 'stopped', revision: 1 });
    expect(await agent(deleted.agentId)).toMatchObject({ phase: 'deleting', revision: 1 });
    await link.close();
  });

  it('is shown by every replica and stopped where its agent has ended or is elsewhere, until it has', async () => {
    const [broker, other] = [await join(), await join()];
    const [over, moved] = [await plant(broker, { phase: 'failed' }), await plant(other)];
    const gone = await plant(broker, { phase: 'deleted' });
    const teller = new Teller(await connect(broker), [over, moved, gone]);

    const ops = new Map<unknown, unknown>();
    for (let count = 0; count < 3; count += 1) {
      const { op, args } = await teller.link.nextDispatch(BUSY.withinMs);
      ops.set(args.agentId, [op, args.runId]);
    }

    expect(ops.get(over.agentId)).toEqual(['agent.stop', over.runId]);
    expect(ops.get(moved.agentId)).toEqual(['agent.stop', moved.runId]);
    expect(ops.get(gone.agentId)).toEqual(['agent.delete', gone.runId]);
    const shown = await eventually(async () => {
      const found = await strays(broker);
      return found.length === 3 && found;
    }, BUSY);
    const { body } = await cluster.api(1).get(`/api/v1/strays?agent=${moved.agentId}&kind=orphan`);
    expect(body.items).toMatchObject([
      {
        kind: 'orphan',
        reason: 'agent_elsewhere',
        broker: { id: broker.id, name: broker.name },
        agent: { id: moved.agentId, name: expect.stringMatching(/^a-/) },
        phase: 'running',
        dispatchId: expect.any(String),
      },
    ]);
    expect(shown.map(({ reason }: { reason: string }) => reason).sort()).toEqual([
      'agent_deleted',
      'agent_elsewhere',
      'run_ended',
    ]);
    expect(await agent(moved.agentId)).toMatchObject({ phase: 'running', revision: 1 });

    teller.agents.splice(0, 3, { ...over, phase: 'stopped' }, { ...moved, phase: 'stopped' });
    teller.tell();
    await eventually(async () => (await strays(broker)).length === 0, BUSY);
    await teller.link.close();
  });

  it('is shown, and left alone, where the hub has never had its agent; also once the broker is away', async () => {
    const broker = await join();
    const stranger = report();
    const teller = new Teller(await connect(broker), [stranger, { ...report(), phase: 'stopped' }]);

    const [shown, ...others] = await eventually(async () => {
      const found = await strays(broker);
      return found.length > 0 && found;
    }, BUSY);

    expect(others).toEqual([]);
    expect(shown).toMatchObject({
      kind: 'stranger',
      reason: 'agent_unknown',
      agent: { id: stranger.agentId, name: null },
      runId: stranger.runId,
      dispatchId: null,
    });
    expect(teller.link.count('dispatch')).toBe(0);
    const { body: metrics } = await cluster.api(1).get('/metrics');
    expect(metrics).toMatch(/^fairlead_agent_strays\{kind="stranger"\} [1-9]/m);
    await teller.link.close();
    expect(await strays(broker)).toHaveLength(1);

    // What is found anew on the next link is the same one; what is not there any more is forgotten.
    const again = new Teller(await connect(broker), [stranger]);
    const unlike = report();
    again.agents.push(unlike);
    again.tell();
    const now = await eventually(async () => {
      const found = await strays(broker);
      return found.length === 2 && found;
    }, BUSY);
    expect(now.map(({ id }: { id: string }) => id)).toContain(shown.id);
    again.agents.splice(0, 2);
    again.tell();
    await eventually(async () => (await strays(broker)).length === 0, BUSY);
    await again.link.close();
  });

  it('is ended when a broker is back whose agent was deleted meanwhile, and whose name is free', async () => {
    const broker = await join();
    const told = await plant(broker);
    const { name } = await agent(told.agentId);
    const { body } = await api().call('DELETE', `/api/v1/agents/${told.agentId}`);
    await expire(body.dispatch.id);
    await eventually(async () => (await agent(told.agentId)).phase === 'deleted', BUSY);
    const made = await api().post('/api/v1/agents', { name, broker: broker.id, spec: { command: 'true' } });
    const { link } = new Teller(await connect(broker), [told]);

    const { op, args } = await link.nextDispatch(BUSY.withinMs);

    expect(made.status).toBe(201);
    expect({ op, agentId: args.agentId, runId: args.runId }).toEqual({
      op: 'agent.delete',
      agentId: told.agentId,
      runId: told.runId,
    });
    await link.close();
  });

  it('goes on where a command that was to end it was given up while its broker was away', async () => {
    const broker = await join();
    const path = (told: AgentReport) => `/api/v1/agents/${told.agentId}`;
    const giveUp = (id: string) => api().post(`/api/v1/dispatches/${id}/cancel`);
    const restart = (told: AgentReport) => api().post(`${path(told)}/restart`);
    const remove = (told: AgentReport) => api().call('DELETE', path(told));
    const given = async (ask: typeof restart, end: (id: string) => Promise<unknown>) => {
      const told = await plant(broker);
      await end((await ask(told)).body.dispatch.id);
      return told;
    };
    const kept = [await given(restart, expire), await given(restart, giveUp), await given(remove, giveUp)];
    const lost = await plant(broker);
    const { link } = new Teller(await connect(broker), kept);

    await eventually(async () => (await agent(lost.agentId)).phase === 'failed', BUSY);

    for (const { agentId, runId } of kept)
      expect(await agent(agentId)).toMatchObject({ phase: 'running', wanted: 'running', runId });
    expect(await strays(broker)).toEqual([]);
    expect(link.count('dispatch')).toBe(0);
    await link.close();
  });

  it('has stopped where it ended while a command for it waited that was given up then', async () => {
    const broker = await join();
    const told = await plant(broker);
    const teller = new Teller(await connect(broker), [told]);
    // Commands of one agent wait for each other: the delete is sent once the first has ended.
    await api().ping(broker.id, { orderingKey: told.agentId });
    teller.link.ack(await teller.link.nextDispatch(BUSY.withinMs));
    const { body } = await api().call('DELETE', `/api/v1/agents/${told.agentId}`);
    teller.agents.splice(0, 1, { ...told, phase: 'stopped', exitCode: 3 });
    teller.tell();
    // Long enough for what was told to be compared while the delete waits.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(await agent(told.agentId)).toMatchObject({ phase: 'deleting' });

    await api().post(`/api/v1/dispatches/${body.dispatch.id}/cancel`);

    const ended = await eventually(async () => {
      const found = await agent(told.agentId);
      return found.phase === 'stopped' && found;
    }, BUSY);
    expect(ended).toMatchObject({ wanted: 'running', runId: told.runId, exitCode: 3 });
    await teller.link.close();
  });

  it('is asked for by a digest of other agents than were told, and by no other', async () => {
    const broker = await join();
    const agents = [report(), { ...report(), phase: 'stopped' as const }];
    const teller = new Teller(await connect(broker), agents);
    await eventually(async () => (await strays(broker)).length === 1, BUSY);
    const before = teller.asked;

    teller.beat(digestOf([...agents].reverse()));
    await teller.link.next('heartbeat_ack');
    teller.beat(digestOf(agents));
    await teller.link.next('heartbeat_ack');
    expect(teller.asked).toBe(before);
    teller.beat(digestOf([report()]));
    await eventually(() => teller.asked === before + 1, BUSY);
    await teller.link.close();
  });

  it('is told in a list of so many agents, and in none of more', async () => {
    const broker = await join();
    const link = await connect(broker);
    const part = Array.from({ length: LIMITS.batch }, () => ({ ...report(), phase: 'stopped' as const }));
    for (let told = 0; told + LIMITS.batch <= LIMITS.agents; told += LIMITS.batch)
      link.send({
        t: 'event',
        agents: part.map((one) => ({ ...one, agentId: randomUUID() })),
        list: 'part',
      });
    link.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
    await link.next('heartbeat_ack');

    link.send({ t: 'event', agents: part.map((one) => ({ ...one, agentId: randomUUID() })), list: 'last' });

    expect(await link.closed).toEqual({
      code: CLOSE_CODES.protocol_error,
      reason: `a broker tells of at most ${LIMITS.agents} agents`,
    });
  });

  it('counts by its newest link alone: what an older one leaves out loses nothing', async () => {
    const broker = await join();
    const kept = await plant(broker);
    const witness = await plant(broker);
    const old = await broker.connect(cluster.hub(0).url, [], CAPABILITIES);
    const teller = new Teller(await connect(broker), [kept]);

    old.send({ t: 'event', agents: [], list: 'last' });

    await eventually(async () => (await agent(witness.agentId)).phase === 'failed', BUSY);
    expect(await agent(kept.agentId)).toMatchObject({ phase: 'running', revision: 1 });
    await teller.link.close();
    old.cut();
  });

  it('is lost with the folder of a real broker, and not with its journal alone', async () => {
    const name = `real-${randomUUID().slice(0, 8)}`;
    const broker = await BrokerProcess.join(api(), cluster.hub(1).url, name);
    let pid = 0;
    try {
      await broker.start(api());
      const spec = { command: 'sleep', args: ['600'] };
      const { body: made } = await api().post('/api/v1/agents', { name: `${name}-a`, broker: name, spec });
      const { body } = await api().post(`/api/v1/agents/${made.id}/start`, undefined, { prefer: 'wait=30' });
      expect(body.dispatch.state).toBe('succeeded');
      pid = body.dispatch.result.pid;

      await broker.kill();
      rmSync(broker.journal, { recursive: true });
      await broker.start(api());
      const { body: seen } = await api().get(`/api/v1/agents/${made.id}/inspect`);
      expect(seen).toMatchObject({ state: 'running', pid });
      expect(await agent(made.id)).toMatchObject({ phase: 'running' });

      await broker.kill();
      rmSync(inFolder(broker.home, 'agents'), { recursive: true });
      await broker.start(api());
      await eventually(async () => (await agent(made.id)).phase === 'failed', { withinMs: 30_000 });
      expect(await strays({ name } as ScriptedBroker)).toEqual([]);
    } finally {
      if (pid > 0) process.kill(-pid, 'SIGKILL');
      await broker.remove();
    }
  }, 120_000);
});
