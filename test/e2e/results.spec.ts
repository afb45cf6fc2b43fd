import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

const OP = 'broker.ping';

/** Ended commands of a project, at a broker that serves another one as well, and what callers come to know of their results. */
describe('the result of a command', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;
  let link: ScriptedLink;
  let own: string;
  let foreign: string;
  let callers: Record<'asker' | 'colleague' | 'viewer' | 'stranger' | 'limited', Api>;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url, undefined, { shared: true });
    [own, foreign] = [await makeProject(), await makeProject()];
    link = await broker.connect(cluster.hub(1).url);
    const asker = await makeMember({ [own]: 'operator', [foreign]: 'operator' });
    callers = {
      asker: asker.api(),
      colleague: (await makeMember({ [own]: 'operator' })).api(),
      viewer: (await makeMember({ [own]: 'viewer' })).api(),
      stranger: (await makeMember({ [foreign]: 'admin' })).api(),
      // The person who has asked, by a token for the other project alone.
      limited: await asker.tokenFor(foreign),
    };
  }, 120_000);

  afterAll(async () => {
    link.cut();
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  async function makeProject(): Promise<string> {
    const { body } = await cluster.api(0).post('/api/v1/projects', { name: `p-${randomUUID()}` });
    await cluster.api(0).post(`/api/v1/projects/${body.id}/attachments`, { broker: broker.id });
    return body.id;
  }

  async function makeMember(roles: Record<string, string>) {
    const admin = cluster.api(0);
    const { body: user } = await admin.post('/api/v1/users', { name: `u-${randomUUID()}` });
    for (const [project, role] of Object.entries(roles))
      await admin.call('PUT', `/api/v1/projects/${project}/members/${user.id}`, { role });
    const tokens = `/api/v1/users/${user.id}/tokens`;
    const { body: made } = await admin.post(tokens, { name: 'of a test' });
    const api = () => new Api(cluster.hub(0).url, made.token);
    const tokenFor = async (project: string) => {
      const { body } = await admin.post(tokens, { name: 'limited', projects: [project] });
      return new Api(cluster.hub(0).url, body.token);
    };
    return { api, tokenFor };
  }

  const path = () => `/api/v1/brokers/${broker.id}/dispatches`;
  const order = (project: string) => ({ op: OP, project, orderingKey: null });

  /** A command that has ended, what it told, and the key of its request. */
  async function makeEnded(): Promise<{ id: string; said: string; key: string }> {
    const [said, key] = [`said-${randomUUID()}`, randomUUID()];
    const { body } = await callers.asker.post(path(), order(own), { 'idempotency-key': key });
    const { id } = body.dispatch;
    // What others have asked for meanwhile is done as well, and tells nothing.
    for (;;) {
      const dispatch = await link.nextDispatch();
      link.succeed(dispatch, dispatch.id === id ? { said } : null);
      if (dispatch.id === id) break;
    }
    expect(await cluster.api(1).dispatch(id, 10)).toMatchObject({ state: 'succeeded' });
    return { id, said, key };
  }

  type Road = (api: Api, ended: { id: string; key: string }) => Promise<{ status: number; body: any }>;

  const TO_ONE: [string, Road][] = [
    ['by its id', (api, { id }) => api.get(`/api/v1/dispatches/${id}`)],
    ['by waiting for it', (api, { id }) => api.get(`/api/v1/dispatches/${id}`, { prefer: 'wait=1' })],
    ['by its trail', (api, { id }) => api.get(`/api/v1/dispatches/${id}/trail`)],
    ['by why it waits', (api, { id }) => api.get(`/api/v1/dispatches/${id}/why`)],
    ['by cancelling it', (api, { id }) => api.post(`/api/v1/dispatches/${id}/cancel`)],
    ['by doing it again', (api, { id }) => api.post(`/api/v1/dispatches/${id}/redrive`)],
    ['by its project', (api) => api.get(`/api/v1/dispatches?project=${own}`)],
    ['by its request, once more', (api, { key }) => api.post(path(), order(own), { 'idempotency-key': key })],
  ];

  const TO_MANY: [string, Road][] = [
    ['in the list of all', (api) => api.get('/api/v1/dispatches?limit=500')],
    ['in the list of its broker', (api) => api.get(`/api/v1/dispatches?broker=${broker.id}&limit=500`)],
    ['in the list of its state', (api) => api.get(`/api/v1/dispatches?state=succeeded&limit=500`)],
    ['in the trails of its broker', (api) => api.get(`/api/v1/trails?broker=${broker.id}&limit=500`)],
    [
      'by its key in another project',
      (api, { key }) => api.post(path(), order(foreign), { 'idempotency-key': key }),
    ],
  ];

  it('is told to the members of its project, whoever of them has asked', async () => {
    const { id, said } = await makeEnded();

    for (const name of ['asker', 'colleague', 'viewer'] as const) {
      const answers = [
        await callers[name].get(`/api/v1/dispatches/${id}`),
        await callers[name].get(`/api/v1/dispatches?broker=${broker.id}&limit=500`),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(JSON.stringify(answers[0]?.body)).toContain(said);
      expect(JSON.stringify(answers[1]?.body)).toContain(id);
    }
  });

  it.each(TO_ONE)('is there for nobody of another project %s (pitfall 34)', async (_how, road) => {
    const ended = await makeEnded();

    for (const name of ['stranger', 'limited'] as const) {
      const { status, body } = await road(callers[name], ended);
      expect([name, status, body.code]).toEqual([name, 404, 'not_found']);
      expect(JSON.stringify(body)).not.toContain(ended.said);
    }
  });

  it.each(TO_MANY)('is for nobody of another project %s (pitfall 34)', async (_how, road) => {
    const ended = await makeEnded();

    for (const name of ['stranger', 'limited'] as const) {
      const { status, body } = await road(callers[name], ended);
      // A key is anew another person's; one's own is for the request that it was first sent with.
      expect(name === 'limited' ? [200, 422] : [200, 202]).toContain(status);
      const text = JSON.stringify(body);
      expect(text).not.toContain(ended.said);
      expect(text).not.toContain(ended.id);
    }
  });

  it('is no answer to another person who asks by the same key for the same (pitfall 34)', async () => {
    const { id, said, key } = await makeEnded();

    const again = await callers.asker.post(path(), order(own), { 'idempotency-key': key });
    const other = await callers.colleague.post(path(), order(own), { 'idempotency-key': key });

    expect(again.body.dispatch.id).toBe(id);
    expect(other.body.dispatch.id).not.toBe(id);
    expect(JSON.stringify(other.body)).not.toContain(said);
  });
});
