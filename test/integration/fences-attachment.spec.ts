import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { AttachmentRepository } from '../../src/hub/registry/attachment.repository.js';
import { ProjectRepository } from '../../src/hub/registry/project.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: AttachmentRepository;
let projects: ProjectRepository;
let broker: PlantedBroker;
let project: string;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new AttachmentRepository(bench.database);
  projects = new ProjectRepository(bench.database);
});

beforeEach(async () => {
  broker = await rows.broker({ capabilities: '[]' });
  await rows.insert('broker_presence', { broker_id: broker.id, state: 'degraded' });
  project = await planted();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

async function planted(): Promise<string> {
  const id = randomUUID();
  await rows.insert('project', { id, name: `p-${id}`, created_by: randomUUID() });
  return id;
}

const attach = (to = project) => repository.attach(randomUUID(), to, broker.id, randomUUID());
const attachment = (to = project) =>
  rows.one('select * from broker_attachment where project_id = $1 and broker_id = $2', [to, broker.id]);
const archive = 'update project set archived_at = now() where id = $1';
const detached = `update broker_attachment set state = 'offline', detached_at = now() where project_id = $1`;

describe('an attachment', () => {
  it('is not made in a project that is being archived', async () => {
    expect(await rows.meanwhile(archive, [project], () => attach())).toBeUndefined();
  });

  it('is not made in a project that is archived, or of a broker that is revoked', async () => {
    const archived = await planted();
    await rows.sql.query(archive, [archived]);
    expect(await attach(archived)).toBeUndefined();

    await rows.sql.query('update broker set revoked_at = now() where id = $1', [broker.id]);
    expect(await attach()).toBeUndefined();
  });

  it('is not taken up again when it was revoked', async () => {
    await attach();
    await repository.revoke(project, broker.id);

    expect(await attach()).toBeUndefined();
    expect(await attachment()).toMatchObject({ state: 'revoked' });
  });

  it('is ended once, in its own project', async () => {
    await attach();

    expect(await repository.detach(await planted(), broker.id)).toBeUndefined();
    expect(await repository.detach(project, broker.id)).toBeDefined();
    const { detached_at: at } = await attachment();
    expect(await repository.detach(project, broker.id)).toBeUndefined();
    expect(await attachment()).toMatchObject({ state: 'offline', detached_at: at });
  });

  it('is revoked once, and keeps the time at which it had ended', async () => {
    await attach();
    await repository.detach(project, broker.id);
    const { detached_at: at } = await attachment();

    expect(await repository.revoke(project, broker.id)).toBeDefined();
    expect(await repository.revoke(project, broker.id)).toBeUndefined();
    expect(await attachment()).toMatchObject({ state: 'revoked', detached_at: at });
  });

  it('is held by who sends work by it, and so is its project', async () => {
    await attach();
    const held = () => repository.hold(bench.database.run, project, broker.id);

    expect(await rows.meanwhile(detached, [project], held)).toMatchObject({ state: 'offline' });
    const { archivedAt } =
      (await rows.meanwhile(archive, [project], () => projects.hold(bench.database.run, project))) ?? {};
    expect(archivedAt).toBeInstanceOf(Date);
  });
});

describe('of the attachments of brokers', () => {
  const attached = async (to: string, { id }: PlantedBroker, over: object = {}) =>
    rows.insert('broker_attachment', {
      id: uuidv7(),
      project_id: to,
      broker_id: id,
      state: 'online',
      is_exclusive: false,
      attached_by: randomUUID(),
      ...over,
    });
  const off = { state: 'offline', detached_at: new Date() };

  // Whoever follows the presence of brokers would find them.
  afterEach(() => rows.sql.query('delete from broker_attachment'));

  it('so many of each are told, those that are on and the latest first, and how many there are', async () => {
    const [first, second, third] = [await planted(), await planted(), await planted()];
    const other = await rows.broker();
    await attached(first, broker);
    await attached(second, broker);
    await attached(third, broker, off);
    await attached(third, other, off);

    const found = await repository.latestOf([broker.id, other.id, randomUUID()], null, 2);

    const told = (id: string) =>
      found.filter(({ brokerId }) => brokerId === id).map(({ projectId, total }) => [projectId, total]);
    expect(told(broker.id)).toEqual([
      [second, 3],
      [first, 3],
    ]);
    expect(told(other.id)).toEqual([[third, 1]]);
    expect(found).toHaveLength(3);
  });

  it('those of projects that are not seen are neither told nor counted', async () => {
    const [seen, hidden] = [await planted(), await planted()];
    await attached(seen, broker);
    await attached(hidden, broker);

    expect(await repository.latestOf([broker.id], [seen], 9)).toMatchObject([{ projectId: seen, total: 1 }]);
    expect(await repository.latestOf([broker.id], [], 9)).toEqual([]);
  });
});

describe('the presence of a broker', () => {
  const presence = (state: string) =>
    rows.sql.query('update broker_presence set state = $2 where broker_id = $1', [broker.id, state]);

  it('is followed by its attachment, and waits for nobody who is at it', async () => {
    await attach();
    await presence('online');

    const followed = await rows.besides(
      'select from broker_attachment where project_id = $1 for update',
      [project],
      () => repository.followPresence(),
    );

    expect(followed).toEqual([]);
    expect(await repository.followPresence()).toEqual([{ brokerId: broker.id, owner: broker.replicaId }]);
    expect(await attachment()).toMatchObject({ state: 'online' });
  });

  it('is followed by nothing that was detached', async () => {
    await attach();
    await repository.detach(project, broker.id);

    expect(await repository.followPresence()).toEqual([]);
    expect(await attachment()).toMatchObject({ state: 'offline' });
  });

  it('is followed on one replica at a time', async () => {
    await attach();
    await presence('online');

    const followed = await rows.besides(
      `select pg_advisory_xact_lock(hashtextextended('duty attachments', 3))`,
      [],
      () => repository.followPresence(),
    );

    expect(followed).toEqual([]);
  });
});

describe('the end of a project', () => {
  it('ends what is attached to it, and nothing else, and leaves alone what had ended', async () => {
    await attach();
    await repository.detach(project, broker.id);
    const { detached_at: at } = await attachment();
    const other = await planted();
    await attach(other);
    const end = (id: string) => bench.database.transaction((run) => projects.archive(run, id));

    expect(await end(project)).toEqual([]);
    expect(await attachment()).toMatchObject({ detached_at: at });
    expect(await attachment(other)).toMatchObject({ state: 'degraded', detached_at: null });
    expect(await end(other)).toHaveLength(1);
    expect(await end(other)).toBeUndefined();
  });
});
