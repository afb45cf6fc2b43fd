import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import pg from 'pg';
import { AGENT_TOKENS_PATH } from '../../src/protocol/version.js';
import { Api } from '../support/api.js';
import { atOnce } from '../support/at-once.js';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

/** Above what these tests ask for one agent, but for those of the limits. */
const AT_ONCE = 20;
const LIMITS = { FAIRLEAD_RATE_LIMITS: `agent=1:${AT_ONCE},agent_token=1:${AT_ONCE}` };

const ASKED = { method: 'POST', path: AGENT_TOKENS_PATH } as const;

type Run = { agentId: string; runId: string };
type Agent = Run & { project: string | undefined; broker: ScriptedBroker };

describe('what an agent shows of itself', () => {
  let cluster: Cluster;
  let api: Api;
  let urls: string[];
  let sql: pg.Client;

  beforeAll(async () => {
    cluster = await Cluster.start(0);
    await Promise.all([cluster.addReplica(LIMITS), cluster.addReplica(LIMITS)]);
    api = cluster.api(0);
    urls = cluster.hubs.map(({ url }) => url);
    sql = new pg.Client(cluster.database.url);
    await sql.connect();
  }, 60_000);

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const runOf = async (agentId: string): Promise<Run> => {
    const { body } = await api.get(`/api/v1/agents/${agentId}`);
    return { agentId, runId: body.runId };
  };

  /** An agent that was told to start, on a broker of its own. */
  async function makeAgent({ isOfProject = false } = {}): Promise<Agent> {
    const broker = await ScriptedBroker.join(api, urls[0]!);
    const project = isOfProject ? `p-${randomUUID()}` : undefined;
    if (project !== undefined) {
      await api.post('/api/v1/projects', { name: project });
      await api.post(`/api/v1/projects/${project}/attachments`, { broker: broker.id });
    }
    const agent = { name: `a-${randomUUID()}`, broker: broker.id, project, spec: { command: 'true' } };
    const { body } = await api.post('/api/v1/agents', agent);
    await api.post(`/api/v1/agents/${body.id}/start`);
    return { ...(await runOf(body.id)), project, broker };
  }

  async function mint(
    broker: ScriptedBroker,
    run: object,
    { at = urls[0]!, shown = broker.shown(at, ASKED) } = {},
  ) {
    const { agentId, runId } = run as Partial<Run>;
    return new Api(at, '').post(AGENT_TOKENS_PATH, { agentId, runId }, { ...(await shown) });
  }

  const tokenOf = async (agent: Agent) => String((await mint(agent.broker, agent)).body.token);
  const everywhere = async (token: string, path = '/api/v1/self') => {
    const answers = await Promise.all(urls.map((url) => new Api(url, token).get(path)));
    return answers.map(({ status, body }) => [status, body.code ?? body.id]);
  };
  const both = (...answer: [number, string]) => [answer, answer];

  /** Waits most of its time for processes to start. */
  const meanwhile = atOnce();

  it('is minted for its broker, lives a quarter of an hour, and says who it is at every replica', async () => {
    const agent = await makeAgent({ isOfProject: true });

    const { status, body, headers } = await mint(agent.broker, agent, { at: urls[1]! });

    const { body: project } = await api.get(`/api/v1/projects/${agent.project}`);
    const { sub, run, broker, project: of, exp = 0, iat = 0 } = decodeJwt(body.token);
    expect([status, body.expiresInS, headers.get('cache-control')]).toEqual([200, 900, 'no-store']);
    expect(decodeProtectedHeader(body.token).typ).toBe('fairlead-agent+jwt');
    expect([sub, run, broker, of]).toEqual([agent.agentId, agent.runId, agent.broker.id, project.id]);
    expect(exp - iat).toBe(900);
    expect(await everywhere(body.token)).toEqual(both(200, agent.agentId));
  });

  it('lets it read its own inbox, and what was sent to no other', async () => {
    const [agent, other] = [await makeAgent(), await makeAgent()];
    await api.post(`/api/v1/agents/${agent.agentId}/messages`, { text: 'to it' });
    await api.post(`/api/v1/agents/${other.agentId}/messages`, { text: 'to another' });

    const { status, body } = await new Api(urls[1]!, await tokenOf(agent)).get('/api/v1/self/messages');

    expect(status).toBe(200);
    expect(body.items.map(({ text }: { text: string }) => text)).toEqual(['to it']);
  });

  it.each<[string, (agent: Agent) => Run | Promise<Run>, number, string]>([
    ['an agent that there is not', ({ runId }) => ({ agentId: randomUUID(), runId }), 404, 'not_found'],
    ['the agent of another broker', () => makeAgent(), 404, 'not_found'],
    ['another run', ({ agentId }) => ({ agentId, runId: randomUUID() }), 409, 'agent_run_over'],
    ['no run at all', ({ agentId }) => ({ agentId }) as Run, 400, 'request_invalid'],
  ])('is not minted for %s', async (_what, of, status, code) => {
    const agent = await makeAgent();

    const answer = await mint(agent.broker, await of(agent));

    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it('is minted for no broker that is not attached to its project, or was revoked', async () => {
    const [detached, revoked] = [await makeAgent({ isOfProject: true }), await makeAgent()];
    const shown = await revoked.broker.shown(urls[0]!, ASKED);
    await api.call('DELETE', `/api/v1/projects/${detached.project}/attachments/${detached.broker.id}`);
    await api.post(`/api/v1/brokers/${revoked.broker.id}/revoke`, {});

    const answers = [
      await mint(detached.broker, detached),
      await mint(revoked.broker, revoked, { shown: Promise.resolve(shown) }),
    ];

    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [409, 'broker_not_attached'],
      [403, 'broker_revoked'],
    ]);
  });

  it('is minted once for what a broker has shown, at whichever replicas', async () => {
    const agent = await makeAgent();
    const shown = agent.broker.shown(urls[0]!, ASKED);

    const answers = await Promise.all(urls.map((at) => mint(agent.broker, agent, { at, shown })));
    const again = await mint(agent.broker, agent, { shown });

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
    expect([again.status, again.headers.get('www-authenticate')]).toEqual([401, 'DPoP algs="EdDSA"']);
  });

  it('is minted as often as its broker may ask at both replicas, which is told when it may again', async () => {
    const [agent, other] = [await makeAgent(), await makeAgent()];
    const token = await agent.broker.accessToken(urls[0]!);

    const answers = await Promise.all(
      Array.from({ length: 4 * AT_ONCE }, (_, count) => {
        const at = urls[count % 2]!;
        return mint(agent.broker, agent, { at, shown: agent.broker.shown(at, { ...ASKED, token }) });
      }),
    );

    const taken = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect(taken.length + refused.length).toBe(answers.length);
    // A tenth more for each replica; a busy machine may give what a second brings.
    expect(taken.length).toBeGreaterThanOrEqual(AT_ONCE);
    expect(taken.length).toBeLessThan(3 * AT_ONCE);
    const { headers, body } = refused[0]!;
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(headers.get('ratelimit-policy')).toBe(`"agent_token";q=${AT_ONCE};w=${AT_ONCE}`);
    expect(body).toMatchObject({ code: 'rate_limited', limit: 'agent_token' });
    // What the broker asks for itself is counted apart, and so is another broker.
    await expect(agent.broker.accessToken(urls[0]!)).resolves.toEqual(expect.any(String));
    expect((await mint(other.broker, other)).status).toBe(200);
  });

  it('reads as often as one agent may at both replicas, and then says when it may again', async () => {
    const [agent, other] = [await makeAgent(), await makeAgent()];
    const token = await tokenOf(agent);

    const answers = await Promise.all(
      Array.from({ length: 4 * AT_ONCE }, (_, count) =>
        new Api(urls[count % 2]!, token).get(count % 4 < 2 ? '/api/v1/self' : '/api/v1/self/messages'),
      ),
    );

    const taken = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect(taken.length + refused.length).toBe(answers.length);
    expect(taken.length).toBeGreaterThanOrEqual(AT_ONCE);
    expect(taken.length).toBeLessThan(3 * AT_ONCE);
    const { headers, body } = refused[0]!;
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(headers.get('ratelimit-policy')).toBe(`"agent";q=${AT_ONCE};w=${AT_ONCE}`);
    expect(body).toMatchObject({ code: 'rate_limited', limit: 'agent' });
    expect(await everywhere(await tokenOf(other))).toEqual(both(200, other.agentId));
  });

  it.each<[string, (agent: Agent) => Promise<unknown>]>([
    [
      'its run is over',
      ({ agentId }) => sql.query(`update agent set phase = 'stopped' where id = $1`, [agentId]),
    ],
    ['another run follows', ({ agentId }) => api.post(`/api/v1/agents/${agentId}/restart`)],
    ['it is deleted', ({ agentId }) => api.call('DELETE', `/api/v1/agents/${agentId}`)],
    ['its broker is revoked', ({ broker }) => api.post(`/api/v1/brokers/${broker.id}/revoke`, {})],
    [
      'its broker is detached',
      ({ project, broker }) => api.call('DELETE', `/api/v1/projects/${project}/attachments/${broker.id}`),
    ],
  ])('is good for nothing from the moment that %s, at every replica', async (_what, end) => {
    const agent = await makeAgent({ isOfProject: true });
    const token = await tokenOf(agent);
    const before = await everywhere(token);

    await end(agent);

    expect(before).toEqual(both(200, agent.agentId));
    expect(await everywhere(token)).toEqual(both(401, 'credential_invalid'));
    expect(await everywhere(token, '/api/v1/self/messages')).toEqual(both(401, 'credential_invalid'));
  });

  meanwhile('lies in a file of the run, from which the command line within the agent shows it', async () => {
    const broker = await BrokerProcess.join(api, urls[0]!, 'real');
    const seen = join(broker.home, 'seen.json');
    const script =
      'until [ -s "$FAIRLEAD_AGENT_TOKEN_FILE" ]; do sleep 0.1; done; ' +
      `${process.execPath} ${FAIRLEAD} self get --json > ${seen}.part && mv ${seen}.part ${seen}; exec sleep 600`;
    try {
      await broker.start(api);
      const spec = { command: '/bin/sh', args: ['-c', script] };
      const { body } = await api.post('/api/v1/agents', { name: 'shown', broker: 'real', spec });
      await api.post('/api/v1/agents/shown/start', undefined, { prefer: 'wait=20' });

      await eventually(() => existsSync(seen), { withinMs: 30_000, everyMs: 100 });

      const { runId } = await runOf(body.id);
      const file = join(broker.home, 'agents', body.id, 'runs', runId, 'token');
      const token = readFileSync(file, 'utf8');
      expect(JSON.parse(readFileSync(seen, 'utf8'))).toMatchObject({ id: body.id, name: 'shown', runId });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(broker.output).not.toContain(token);
      await api.call('DELETE', '/api/v1/agents/shown', undefined, { prefer: 'wait=30' });
      expect(await everywhere(token)).toEqual(both(401, 'credential_invalid'));
    } finally {
      await broker.remove();
    }
  });
});
