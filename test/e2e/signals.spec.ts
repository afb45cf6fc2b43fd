import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { postmasterOf } from '../../src/hub/database/embedded/postmaster.js';
import { MIGRATION_LOCK } from '../../src/hub/database/migrate.js';
import { Scene } from '../integration/support/database-users.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { HubProcess } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';

const scene = new Scene();
const hubs: HubProcess[] = [];

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.kill()));
  await scene.clear();
});

afterAll(() => expectNoLeaks());

/** An embedded database, which is there already and which others of its machine use as well. */
async function usedDatabase() {
  const dataDir = join(scene.directory(), 'data');
  const user = scene.user(dataDir);
  const { url, directory } = await user.answer;
  return { dataDir, user, url, directory };
}

/** As a terminal and npm before it hand on one press of Ctrl-C. More than twice, since a busy system makes one of two. */
async function pressCtrlC(hub: HubProcess): Promise<void> {
  for (let times = 1; times <= 5; times += 1) {
    hub.signal('SIGINT');
    await rest(5);
  }
}

describe('one press of Ctrl-C that comes more than once', () => {
  it('drains the replica, which leaves by its own word', async () => {
    const cluster = await Cluster.start(2);
    const leaving = cluster.hub(1);

    await pressCtrlC(leaving);

    expect(await leaving.ended()).toBe(0);
    // Nobody could have declared it gone so soon.
    const { body } = await cluster.api(0).get('/api/v1/replicas');
    const states = body.items.map(({ id, state }: { id: string; state: string }) => [id, state]);
    expect(states).toContainEqual([leaving.replicaId, 'gone']);
    expect(leaving.lines.flatMap(({ msg, step }) => (msg === 'drain' ? [step] : []))).toContain('released');
    await cluster.stop();
  });

  it('leaves no database of its own behind', async () => {
    const { dataDir, user, directory } = await usedDatabase();
    const hub = await HubProcess.start('', { FAIRLEAD_DATA_DIR: dataDir });
    hubs.push(hub);
    await user.leave();

    await pressCtrlC(hub);

    expect(await hub.ended()).toBe(0);
    expect(await postmasterOf(directory)).toBeNull();
  });
});

describe('a replica that is asked to end before it serves', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('ends well at %s while its database is away', async (signal) => {
    const away = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(away, 'listening');
    const { port } = away.address() as AddressInfo;
    const hub = HubProcess.begin(`postgres://nobody@127.0.0.1:${port}/none`);
    hubs.push(hub);
    await once(away, 'connection');

    hub.signal(signal);

    expect(await hub.ended()).toBe(0);
    away.close();
  });

  it('ends well while somebody else brings the schema up to date, and lets go of the database of its machine', async () => {
    const { dataDir, url } = await usedDatabase();
    const migrating = new pg.Client(url);
    await migrating.connect();
    await migrating.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const hub = HubProcess.begin('', { FAIRLEAD_DATA_DIR: dataDir });
    hubs.push(hub);
    await eventually(
      async () => {
        const asking = `select from pg_stat_activity where query like 'select pg_try_advisory_xact_lock%'`;
        return (await migrating.query(asking)).rowCount === 1;
      },
      { withinMs: 60_000 },
    );
    const users = () => readdirSync(join(dataDir, 'postgres-users')).length;
    const before = users();

    hub.signal('SIGTERM');

    expect(await hub.ended()).toBe(0);
    expect([before, users()]).toEqual([2, 1]);
    await migrating.end();
  });
});
