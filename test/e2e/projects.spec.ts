import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';

const PROJECTS = '/api/v1/projects';

describe('projects', () => {
  let cluster: Cluster;
  let api: Api;
  let other: Api;
  let count = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    api = cluster.api(0);
    other = cluster.api(1);
  });

  afterAll(async () => {
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const create = async (settings: object = {}) => {
    count += 1;
    return (await api.post(PROJECTS, { name: `project-${count}`, ...settings })).body;
  };
  const patch = (at: Api, name: string, body: object, ifMatch?: string) =>
    at.call('PATCH', `${PROJECTS}/${name}`, body, ifMatch === undefined ? {} : { 'if-match': ifMatch });

  it('are made, found by name and id on any replica, and listed newest first', async () => {
    const made = await create();
    const next = await create({ minBrokerVersion: '1.10', maxPending: 5 });

    const [byName, byId] = [
      await other.get(`${PROJECTS}/${made.name}`),
      await other.get(`${PROJECTS}/${made.id}`),
    ];
    const listed = await other.get(PROJECTS);

    expect(made).toMatchObject({ minBrokerVersion: null, maxPending: 10_000, revision: 1, archivedAt: null });
    expect(next).toMatchObject({ minBrokerVersion: '1.10', maxPending: 5 });
    expect([byName.body, byId.body]).toEqual([made, made]);
    expect(byName.headers.get('etag')).toBe('"1"');
    expect(listed.body.items.slice(0, 2)).toEqual([next, made]);
  });

  it('are made once for a key, on whichever replicas it is asked, and for another body not at all', async () => {
    count += 1;
    const ask = (at: Api, body: object = {}) =>
      at.post(PROJECTS, { name: `project-${count}`, ...body }, { 'idempotency-key': `key-${count}` });

    const [one, two] = await Promise.all([ask(api), ask(other)]);
    const again = await ask(other);
    const changed = await ask(api, { maxPending: 5 });
    const without = await api.post(PROJECTS, { name: `project-${count}` });
    const malformed = await api.post(PROJECTS, { name: 'p' }, { 'idempotency-key': 'x'.repeat(256) });

    expect([one.status, two.status, again.status]).toEqual([201, 201, 201]);
    expect([two.body, again.body]).toEqual([one.body, one.body]);
    expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_key_reused']);
    expect([without.status, without.body.code]).toEqual([409, 'project_name_taken']);
    expect([malformed.status, malformed.body.fields]).toMatchObject([400, [{ path: 'Idempotency-Key' }]]);
  });

  it('have names of their own, and settings within their bounds', async () => {
    const { name } = await create();
    const refused = [
      { name: 'Not A Name' },
      { name: 'over', maxPending: 100_001 },
      { name: 'under', maxPending: 0 },
      { name: 'unread', minBrokerVersion: '1.x' },
      { name: 'unknown', nothing: true },
    ];

    const taken = await other.post(PROJECTS, { name });
    const answers = await Promise.all(refused.map((body) => api.post(PROJECTS, body)));

    expect([taken.status, taken.body.code]).toEqual([409, 'project_name_taken']);
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
      refused.map(() => [400, 'request_invalid']),
    );
    expect((await api.get(`${PROJECTS}/nobody`)).status).toBe(404);
  });

  it('are changed only as they were read: of two that read the same, one is told that it came too late', async () => {
    const { name } = await create();

    const answers = await Promise.all([
      patch(api, name, { maxPending: 6 }, '"1"'),
      patch(other, name, { maxPending: 7 }, '"1"'),
    ]);

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    const [stale] = answers.filter(({ status }) => status === 412);
    expect(stale?.body).toMatchObject({ code: 'revision_stale', revision: 2 });
    expect((await patch(api, name, { maxPending: 8 }, '"2"')).headers.get('etag')).toBe('"3"');
    expect((await patch(api, name, { maxPending: 9 }, 'nothing')).status).toBe(400);
  });

  it('have a version floor that only rises, and 1.10 is above 1.9', async () => {
    const { name } = await create();
    const floors = ['1.9', '1.10', '1.9', '1.10', null, '0.99', '2.0'];

    const answers = [];
    for (const minBrokerVersion of floors) answers.push(await patch(api, name, { minBrokerVersion }));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 409, 200, 409, 409, 200]);
    expect(answers[2]?.body).toMatchObject({ code: 'version_floor_lowered', minBrokerVersion: '1.10' });
    expect((await api.get(`${PROJECTS}/${name}`)).body.minBrokerVersion).toBe('2.0');
  });

  it('end at the highest floor of those that race for it', async () => {
    const { name } = await create();
    const floors = Array.from({ length: 20 }, (_, minor) => `1.${minor}`);

    await Promise.all(
      floors.map((minBrokerVersion, place) => patch(cluster.api(place % 2), name, { minBrokerVersion })),
    );

    expect((await api.get(`${PROJECTS}/${name}`)).body.minBrokerVersion).toBe('1.19');
  });

  it('that are archived stay on record, are listed when asked for, and change no more', async () => {
    const { name, id } = await create();

    const archived = await api.post(`${PROJECTS}/${name}/archive`);
    const again = await other.post(`${PROJECTS}/${id}/archive`);

    expect(archived.body).toMatchObject({ id, archivedAt: expect.any(String), revision: 2 });
    expect(again.body).toEqual(archived.body);
    expect((await patch(api, name, { maxPending: 1 })).body.code).toBe('project_archived');
    expect((await api.post(PROJECTS, { name })).body.code).toBe('project_name_taken');
    const ids = async (query: string) =>
      (await api.get(`${PROJECTS}${query}`)).body.items.map((item: { id: string }) => item.id);
    expect([(await ids('')).includes(id), (await ids('?archived=true')).includes(id)]).toEqual([false, true]);
  });
});
