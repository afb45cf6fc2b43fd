import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import pg from 'pg';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

describe('the floor below which no command of a broker lives', () => {
  let cluster: Cluster;
  let owner: HubProcess;
  let polling: HubProcess;
  let sql: pg.Client;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    [owner, polling] = await Promise.all([
      cluster.addReplica(),
      // It looks more often, and is sooner sure of what it saw.
      cluster.addReplica({ FAIRLEAD_DATABASE_POOLER: 'transaction' }),
    ]);
    sql = new pg.Client(cluster.database.url);
    await sql.connect();
  });

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const ask = async (broker: ScriptedBroker, given: Record<string, unknown> = {}): Promise<string> => {
    const body = { op: 'broker.ping', orderingKey: null, ...given };
    return (await cluster.api(0).post(`/api/v1/brokers/${broker.id}/dispatches`, body)).body.dispatch.id;
  };
  const seqOf = async (id: string): Promise<number> => {
    const { rows } = await sql.query<{ seq: string }>(
      `select seq from broker_dispatch where id = $1 union all select seq from broker_dispatch_history where id = $1`,
      [id],
    );
    return Number(rows[0]?.seq);
  };
  const floorOf = async ({ id }: ScriptedBroker): Promise<number> => {
    const { rows } = await sql.query<{ seq: string }>(
      'select seq from broker_dispatch_floor where broker_id = $1',
      [id],
    );
    return Number(rows[0]?.seq ?? 0);
  };
  const serve = async (link: ScriptedLink, count: number) => {
    for (let served = 0; served < count; served += 1) link.succeed(await link.nextDispatch());
  };
  const succeeded = async (ids: readonly string[]) => {
    for (const id of ids) expect(await cluster.api(0).dispatch(id, 10)).toMatchObject({ state: 'succeeded' });
  };

  const it = atOnce();

  it('rises to the earliest that lives, and the owner after a kill -9 starts there and misses nothing', async () => {
    const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const first = await broker.connect(owner.url);
    const early = await ask(broker);
    await serve(first, 1);
    const running = await ask(broker, { orderingKey: 'stuck' });
    const begun = await first.nextDispatch();
    first.ack(begun);
    const behind = await ask(broker, { orderingKey: 'stuck' });
    const resting = await ask(broker, { notBefore: new Date(Date.now() + 600_000).toISOString() });
    const ended = Array.from({ length: 30 }, () => ask(broker));
    await serve(first, ended.length);
    await succeeded(await Promise.all(ended));

    const floor = await seqOf(running);
    await eventually(async () => (await floorOf(broker)) === floor, { withinMs: 40_000, everyMs: 250 });
    const unbegun = await ask(broker);
    expect((await first.nextDispatch()).id).toBe(unbegun);
    await owner.kill();
    await sql.query(`update broker_dispatch set not_before = now() + interval '1 s' where id = $1`, [
      resting,
    ]);
    // Where the new owner looks is seen by what it does not: a row where none can be.
    const planted = await sql.query<{ id: string }>(
      `insert into broker_dispatch
         (id, seq, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       overriding system value
       select gen_random_uuid(), seq, broker_id, op, args, lane, 'pending', deadline_at, origin_replica, initiator, '{}'
       from broker_dispatch_history where id = $1
       returning id`,
      [early],
    );
    const second = await broker.connect(cluster.hub(0).url, [
      { id: running, attempt: begun.attempt, status: 'running' },
    ]);

    const again = await second.nextDispatch();
    second.succeed(again);
    second.succeed(begun);
    const next = await second.nextDispatch();
    second.succeed(next);
    const late = await second.nextDispatch();
    second.succeed(late);

    // The rest may be over before the link is there, or after everything else.
    const sent = [again.id, next.id, late.id];
    expect([...sent].sort()).toEqual([unbegun, behind, resting].sort());
    expect(sent.filter((id) => id !== resting)).toEqual([unbegun, behind]);
    await succeeded([running, behind, resting, unbegun]);
    expect(await cluster.api(0).dispatch(planted.rows[0]?.id ?? '')).toMatchObject({ state: 'pending' });
    await second.close();
  }, 120_000);

  it('goes on rising as what held it ends, never falls, and is only an owner’s to tell', async () => {
    const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const link = await broker.connect(polling.url);
    // A floor of 1 is none: what is held must not be the first command of all.
    await ask(broker);
    await serve(link, 1);
    const held = await ask(broker);
    const head = await link.nextDispatch();
    link.ack(head);
    const rest = [await ask(broker), await ask(broker)];
    await serve(link, 2);
    const floors: number[] = [];
    const watch = async (until: number) => {
      floors.push(await floorOf(broker));
      return floors.at(-1) === until;
    };
    const heldSeq = await seqOf(held);
    await eventually(() => watch(heldSeq), { withinMs: 40_000, everyMs: 250 });

    link.succeed(head);
    const last = await seqOf(rest[1] ?? '');
    await eventually(() => watch(last + 1), { withinMs: 40_000, everyMs: 250 });

    expect(floors).toEqual([...floors].sort((a, b) => a - b));
    expect(Math.max(...floors)).toBe(last + 1);
    await link.close();
  }, 120_000);
});
