import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Replica } from '../../src/hub/cluster/replica.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { PresenceRepository, type Sighting } from '../../src/hub/heartbeat/presence.repository.js';
import { ConnectRepository } from '../../src/hub/registry/connect.repository.js';
import { ConnectionRepository, type Release } from '../../src/hub/registry/connection.repository.js';
import { Connects } from '../../src/hub/registry/connects.js';
import type { PresenceState } from '../../src/hub/registry/presence-state.js';
import type { Hello } from '../../src/protocol/frame.js';
import { expectNoLeaks } from '../support/leaks.js';
import { after, orders, seeded, type Act, type Broker } from './support/presence-model.js';
import { openBench, type Bench } from './support/repositories.js';

const HISTORIES = 10_000;
const STEPS = 4;
/** Past one threshold of the sweep, and twice that past the next, with room for a slow machine. */
const AGE_S = 42;
const SILENCE_S = 12;
/** By the clock of the model, which moves on so little that it matters for the order alone. */
const STEP_S = 0.01;

const HELLO: Omit<Hello, 'bootId' | 'journalId'> = {
  t: 'hello',
  protocol: { min: 1, max: 1 },
  lastEpoch: 0,
  software: 'test',
  capabilities: [],
  labels: {},
  window: 1,
  health: 'online',
};

type Seen = {
  owner: string | null;
  epoch: number;
  state: PresenceState | null;
  presenceEpoch: number | null;
};

/** A broker, what the model says of it, and which replica every one of its links was to. */
type Story = { id: string; broker: Broker; links: { epoch: number; at: string }[]; told: string[] };

describe('presence and ownership of brokers', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  });

  afterAll(async () => {
    await bench.close();
    await expectNoLeaks();
  });

  it('agree with a model through 10,000 random histories, and the end of an old socket marks no live broker down', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seeded(seed);
    const { rows, database } = bench;
    const [presence, connections, replicas] = [
      new PresenceRepository(database),
      new ConnectionRepository(database),
      new ReplicaRepository(database),
    ];
    const [first, second, mortal] = [
      await rows.replica({ beatingS: 600 }),
      await rows.replica({ beatingS: 600 }),
      await rows.replica({ beatingS: 600 }),
    ];
    const connectsAt = new Map(
      [first, second, mortal].map((id) => [
        id,
        new Connects(new ConnectRepository(database), { id } as Replica),
      ]),
    );
    let isMortalDead = false;
    let demoted = 0;
    const isDead = (replica: string) => isMortalDead && replica === mortal;
    const stories = await plant(first);
    let found = await look();

    for (let step = 1; step <= STEPS; step += 1) {
      await passTime(
        stories.filter(() => random() < 0.3),
        step,
      );
      if (step === 3) {
        await rows.sql.query(`update hub_replica set state = 'gone' where id = $1`, [mortal]);
        isMortalDead = true;
      }
      const before = found;
      const acts = new Map(stories.map((story) => [story, actsOf(story)]));
      const each = <K extends Act['kind']>(kind: K) =>
        [...acts].flatMap(([{ id }, all]) =>
          all
            .filter((act): act is Extract<Act, { kind: K }> => act.kind === kind)
            .map((act) => ({ id, act })),
        );
      const sweep = step % 2 === 0 ? presence.demoteUnowned() : Promise.resolve([]);
      const [swept] = await Promise.all([
        sweep,
        presence.change(each('word').map(({ id, act }) => sighting(id, act.epoch, act.state))),
        presence.note(each('note').map(({ id, act }) => sighting(id, act.epoch, act.state))),
        ...[first, second, mortal].map((at) =>
          connections.release(
            at,
            each('release')
              .filter(({ act }) => act.at === at)
              .map(({ id, act }): Release => ({
                brokerId: id,
                epoch: act.epoch,
                reason: '',
                silenceMs: act.silenceS * 1000,
              })),
          ),
        ),
        replicas.releaseOrphans(),
        connectAll(each('connect')),
      ]);

      demoted += swept.length;
      found = await look();
      const faults = stories.flatMap((story) => {
        const own = acts.get(story) ?? [];
        const [was, is] = [before.get(story.id), found.get(story.id)];
        if (was === undefined || is === undefined) return ['a row is gone'];
        story.told.push(own.map((act) => Object.values(act).join(' ')).join(' | '));
        return [...judge(story, [...own, ...always(step)], is, step), ...oldEnds(story, own, was, is)];
      });
      expect({ seed, step, faults: faults.slice(0, 5) }).toEqual({ seed, step, faults: [] });
    }
    expect(demoted).toBeGreaterThan(HISTORIES / 100);

    /** Most brokers are linked to begin with, and of some nothing was ever told. */
    async function plant(replica: string): Promise<Story[]> {
      const { rows: planted } = await rows.sql.query<{ id: string }>(
        `with made as (
           insert into broker (id, name, fingerprint, software)
           select gen_random_uuid(), 'b-' || n, '', 'planted' from generate_series(1, $1) n
           returning id
         )
         insert into broker_connection
           (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id, since)
         select id, $2, 5, id, 'websocket', id, id, now() from made
         returning broker_id as id`,
        [HISTORIES, replica],
      );
      const stories = planted.map(({ id }): Story => ({
        id,
        broker: { owner: replica, epoch: 5, since: 0, released: null, silent: null, presence: null },
        links: [
          { epoch: 4, at: replica },
          { epoch: 5, at: replica },
        ],
        told: [],
      }));
      const welcomed = stories.filter(() => random() < 0.9);
      await presence.change(welcomed.map(({ id }) => sighting(id, 5, 'online')));
      for (const { broker } of welcomed) broker.presence = { state: 'online', epoch: 5 };
      return stories;
    }

    async function connectAll(asked: { id: string; act: { at: string } }[]): Promise<void> {
      await Promise.all(
        asked.map(({ id, act }) =>
          connectsAt.get(act.at)!.add({
            brokerId: id,
            connectionId: randomUUID(),
            hello: { ...HELLO, bootId: id, journalId: id },
            transport: 'websocket',
            displaced: () => Promise.resolve(),
          }),
        ),
      );
    }

    /** Lets time pass for some, and puts the times of all rows to those of the model, however slow the machine is. */
    async function passTime(aged: Story[], step: number): Promise<void> {
      for (const { broker } of aged) {
        broker.since -= AGE_S;
        if (broker.released !== null) broker.released -= AGE_S;
        if (broker.silent !== null) broker.silent -= AGE_S;
      }
      const column = <T>(pick: (broker: Broker) => T) => stories.map(({ broker }) => pick(broker));
      await rows.sql.query(
        `update broker_connection
         set since = now() + make_interval(secs => told.since - $5::float8),
             released_at = now() + make_interval(secs => told.released - $5::float8),
             silent_since = now() + make_interval(secs => told.silent - $5::float8)
         from unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[]) as told (id, since, released, silent)
         where broker_id = told.id`,
        [
          stories.map(({ id }) => id),
          column(({ since }) => since),
          column(({ released }) => released),
          column(({ silent }) => silent),
          step * STEP_S,
        ],
      );
      await rows.sql.query('update hub_replica set last_seen_at = clock_timestamp()');
    }

    function sighting(brokerId: string, epoch: number, state: PresenceState): Sighting {
      return { brokerId, epoch, state, load: null, running: 0, silenceMs: 0 };
    }

    async function look(): Promise<Map<string, Seen>> {
      const { rows: seen } = await rows.sql.query(
        `select connection.broker_id as id, connection.replica_id as owner, connection.epoch::int,
                presence.state, presence.epoch::int as "presenceEpoch"
         from broker_connection connection
         left join broker_presence presence on presence.broker_id = connection.broker_id`,
      );
      return new Map(seen.map(({ id, ...row }) => [id, row as Seen]));
    }

    /** One or two things that happen at once, mostly on the newest link, often on an old one. */
    function actsOf({ links }: Story): Act[] {
      const one = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
      const act = (): Act => {
        const link = random() < 0.5 ? one(links) : (links.at(-1) ?? one(links));
        const { epoch, at } = link;
        const chance = random();
        if (chance < 0.05) return { kind: 'connect', at: one([first, second, mortal]) };
        if (chance < 0.4) return { kind: 'release', epoch, at, silenceS: one([0, SILENCE_S]) };
        if (chance < 0.5) return { kind: 'note', epoch, state: one<PresenceState>(['online', 'degraded']) };
        return {
          kind: 'word',
          epoch,
          state: one<PresenceState>(['online', 'online', 'degraded', 'unreachable', 'offline']),
        };
      };
      const [some, other] = [act(), act()];
      return some.kind === other.kind && some.kind !== 'connect' ? [some] : [some, other];
    }

    function always(step: number): Act[] {
      return step % 2 === 0 ? [{ kind: 'bury' }, { kind: 'sweep' }] : [{ kind: 'bury' }];
    }

    /** What is found must be what some order of the acts leads to; the model goes on from there. */
    function judge(story: Story, acts: Act[], found: Seen, step: number): string[] {
      let end: Broker | undefined;
      for (const order of orders(acts)) {
        end = order.reduce(
          (broker, act, place) => after(broker, act, step * STEP_S + place * 0.001, isDead),
          story.broker,
        );
        if (isAs(end, found)) break;
        end = undefined;
      }
      if (end === undefined) {
        return [
          `${JSON.stringify(story.broker)} and ${story.told.join(' ; ')} led to ${JSON.stringify(found)}`,
        ];
      }
      story.broker = end;
      // Of two connects at once either may have been the last; the other one is an old link from here on.
      for (let epoch = story.links.at(-1)?.epoch ?? 0; epoch < end.epoch; epoch += 1)
        story.links.push({ epoch: epoch + 1, at: end.owner ?? first });
      return [];
    }

    function isAs({ owner, epoch, presence: told }: Broker, found: Seen): boolean {
      return (
        owner === found.owner &&
        epoch === found.epoch &&
        (told?.state ?? null) === found.state &&
        (told?.epoch ?? null) === found.presenceEpoch
      );
    }

    /** Told apart from the model: whatever old links say or end with, a broker that is linked stays as it is. */
    function oldEnds(story: Story, acts: Act[], was: Seen, is: Seen): string[] {
      const isOld = acts.every((act) => 'epoch' in act && act.epoch < was.epoch);
      if (!isOld || was.owner === null || isDead(was.owner)) return [];
      return JSON.stringify(was) === JSON.stringify(is) ? [] : [`old: ${story.told.at(-1)}`];
    }
  });
});
