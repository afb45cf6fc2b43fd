/**
 * What trail, fences and hand-off each cost: the statements of a command's way, as the product runs them and with one thing
 * cut out of their text, on one session of a server that has nothing else to do. Counted is that session's processor time,
 * as the kernel accounts for it, so that neither the disk nor other work on the machine counts.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { ClaimRepository } from '../../dist/src/hub/dispatch/claim.repository.js';
import { InsertRepository } from '../../dist/src/hub/dispatch/insert.repository.js';
import { SettleRepository } from '../../dist/src/hub/dispatch/settle.repository.js';
import { SESSION_OPTIONS } from '../../dist/src/hub/database/session.js';
import { Fleet } from '../fairlead/fleet.mjs';
import { bars } from '../report/plot.mjs';
import { figure, table } from '../report/table.mjs';
import { interleaved, median, ratios } from '../statistics.mjs';

const FULL = { rounds: 5, groups: 40 };
const QUICK = { rounds: 3, groups: 15 };
const SIZES = [1, 64, 256];
const EPOCH = 1_000_000;

/** What is cut, as patterns of a statement's text and what stands there instead. Each must be found. */
const CUTS = {
  'without trail': {
    insert: [[/array\['\{"state".*?\]/s, `'{}'::text[]`]],
    claim: [[/case when cardinality\(dispatch\.trail\).*?::jsonb\) end/s, 'dispatch.trail']],
    settle: [[/case when cardinality\(trail\).*?::jsonb\) end/s, 'trail']],
  },
  'without fences': {
    claim: [
      [/pg_advisory_xact_lock_shared\(.*?\) as turn/s, 'null as turn'],
      [/ +for share of connection\n/, ''],
      [/where locked\.ordering_key is null or not exists \(.*?\n {2}\)\n/s, 'where $7::text[] is not null\n'],
      [/ +and dispatch\.state = any \(\$5::text\[\]\)\n/, 'and $5::text[] is not null\n'],
    ],
    settle: [
      [/ +and dispatch\.broker_id is not distinct from said\.broker_id\n/, ''],
      [/ +and dispatch\.attempt = said\.attempt\n/, ''],
    ],
  },
};
/** What each statement does; one command alone has statements of its own. */
const PARTS = {
  insert_dispatches_lean: 'insert',
  insert_dispatches_lean_of_one: 'insert',
  claim_by_ids: 'claim',
  claim_by_ids_of_one: 'claim',
  settle_dispatches: 'settle',
  settle_dispatches_of_one: 'settle',
};
const SIDES = ['whole', ...Object.keys(CUTS), 'handed off'];

export async function run({ server, isQuick, progress }) {
  const { rounds, groups } = isQuick ? QUICK : FULL;
  progress('making a broker that nobody serves');
  const fleet = await Fleet.start(server, { brokers: 1 });
  const { databaseUrl } = fleet;
  const [brokerId] = fleet.brokerIds;
  await fleet.end();
  const sessions = new Map();
  for (const side of SIDES) sessions.set(side, await Session.open(databaseUrl, brokerId, side));

  const measured = [];
  for (const size of SIZES) {
    for (const session of sessions.values()) await session.cost(size, 8);
    for (const [round, order] of interleaved([...sessions.values()], rounds).entries()) {
      for (const session of order) {
        const microseconds = await session.cost(size, groups);
        measured.push({ side: session.side, size, round, microseconds });
      }
      progress(`groups of ${size}, round ${round + 1}/${rounds}`);
    }
  }
  for (const session of sessions.values()) await session.end();

  const of = (side, size) =>
    measured.filter((one) => one.side === side && one.size === size).map((one) => one.microseconds);
  const rows = SIZES.flatMap((size) =>
    SIDES.map((side) => ({
      side,
      size,
      microseconds: median(of(side, size)),
      part: ratios(of(side, size), of('whole', size)).median,
    })),
  );
  const result = {
    rows,
    ratios: Object.fromEntries(
      SIZES.map((size) => [
        size,
        Object.fromEntries(SIDES.map((side) => [side, ratios(of(side, size), of('whole', size))])),
      ]),
    ),
  };
  const text = table(
    ['in groups of', 'side', 'microseconds a command', 'of the whole'],
    rows.map(({ size, side, microseconds, part }) => [
      size,
      side,
      figure(microseconds),
      `${Math.round(part * 100)} %`,
    ]),
  );
  const plot = bars({
    title: "Processor time of the server's session for one command",
    unit: 'microseconds, less is better',
    groups: SIZES.map((size) => `groups of ${size}`),
    series: SIDES.map((side) => ({
      name: side,
      values: rows.filter((row) => row.side === side).map(({ microseconds }) => microseconds),
    })),
  });
  return { result, text, plot };
}

/** Stores, claims and settles commands of one broker as their owner would. */
class Session {
  cursor = 0;

  static async open(url, brokerId, side) {
    const session = new Session();
    session.side = side;
    session.brokerId = brokerId;
    session.replicaId = randomUUID();
    session.client = new pg.Client({
      connectionString: url,
      options: `${SESSION_OPTIONS} -c synchronous_commit=off`,
    });
    // A run that fails stops the server; what it failed of is told, and not that.
    session.client.on('error', () => undefined);
    await session.client.connect();
    const { rows } = await session.client.query('select pg_backend_pid() as pid');
    session.account = `/proc/${rows[0].pid}/schedstat`;
    const database = {
      run: async ({ name, text }, values) =>
        (await session.client.query({ name, text: cut(side, name, text), values })).rows,
    };
    session.inserts = new InsertRepository(database);
    session.claims = new ClaimRepository(database);
    session.settles = new SettleRepository(database);
    return session;
  }

  /** @returns microseconds a command, over so many groups */
  async cost(size, groups) {
    const { client, brokerId, replicaId } = this;
    await client.query(
      'update broker_connection set replica_id = $1, epoch = $2, journal_id = $1 where broker_id = $3',
      [replicaId, EPOCH, brokerId],
    );
    const before = this.processorMs();
    for (let group = 0; group < groups; group += 1) await this.carry(size);
    return ((this.processorMs() - before) * 1_000) / (size * groups);
  }

  async carry(size) {
    const { brokerId, replicaId } = this;
    const drafts = Array.from({ length: size }, () => draftFor(brokerId));
    const ids = drafts.map(({ id }) => id);
    const isHanded = this.side === 'handed off';
    const offer = isHanded
      ? { isEmpty: false, brokers: [{ brokerId, epoch: EPOCH }], has: () => true }
      : undefined;
    const noQuotas = { projectIds: [], known: [] };
    const inserted = await this.inserts.insert(drafts, replicaId, [], noQuotas, offer);
    if (!isHanded) {
      await this.claims.readAhead([{ brokerId, afterSeq: this.cursor, most: size }]);
      await this.claims.claim(
        replicaId,
        [{ brokerId, epoch: EPOCH }],
        ids.map((id) => ({ id, brokerId })),
      );
    }
    this.cursor = inserted.at(-1).seq;
    const settled = await this.settles.settle(
      ids.map((id) => ({ id, brokerId, attempt: 1, said: 'succeed', result: { time: 'now' }, error: null })),
      replicaId,
    );
    if (settled.length !== size) throw new Error(`${settled.length} of ${size} commands ended`);
  }

  processorMs() {
    return Number(readFileSync(this.account, 'utf8').split(' ')[0]) / 1e6;
  }

  end() {
    return this.client.end();
  }
}

function draftFor(brokerId) {
  const time = BigInt(Date.now()).toString(16).padStart(12, '0');
  const id = `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
  const absent = {
    projectId: null,
    agentId: null,
    capability: null,
    notBefore: null,
    redriveOf: null,
    idempotency: null,
  };
  const initiator = {
    kind: 'hub',
    id: randomUUID(),
    name: 'bench',
    credentialId: null,
    requestId: randomUUID(),
  };
  const plain = { op: 'broker.ping', args: {}, lane: 'normal', deadlineS: 900, contract: 'until' };
  return { id, brokerId, orderingKey: id, ...absent, ...plain, initiator };
}

function cut(side, name, text) {
  const cuts = CUTS[side]?.[PARTS[name]] ?? [];
  return cuts.reduce((left, [pattern, instead]) => {
    if (!pattern.test(left)) throw new Error(`${name} has no ${pattern}`);
    return left.replace(pattern, instead);
  }, text);
}
