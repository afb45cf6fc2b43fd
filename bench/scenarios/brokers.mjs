/**
 * What idle brokers cost: memory of the replica that holds them against a bare server with as many sockets, statements of
 * the database as they grow in number, and the storm when the replica that held them all is killed.
 */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as rest } from 'node:timers/promises';
import { Child } from '../child.mjs';
import { withClient } from '../database.mjs';
import { lines } from '../report/plot.mjs';
import { figure, table, withSpread } from '../report/table.mjs';
import { interleaved, median, percentile, ratios, spread } from '../statistics.mjs';

const FULL = { sizes: [1_000, 5_000, 10_000], rounds: 5, windows: 5, windowMs: 60_000, settleMs: 10_000 };
const QUICK = { sizes: [200, 500, 1_000], rounds: 3, windows: 3, windowMs: 6_000, settleMs: 2_000 };
/** Linked and gone again before the idle self is measured, so that code and buffers are there already. */
const WARM = 50;
const FEW = 100;
const MEMORY_CEILING = 1.5;
const STATEMENTS_CEILING = 1.2;
const STORM_CEILING_MS = 60_000;
const API_CEILING_MS = 1_000;
const STORM_PATIENCE_MS = 180_000;
const CALLERS = 4;
const CALL_EVERY_MS = 25;

export async function run({ server, isQuick, progress }) {
  const sizes = isQuick ? QUICK : FULL;
  const held = await measureMemory(server, sizes, progress);
  const { statements, storm } = await measureFleet(server, sizes, progress);

  const rows = sizes.sizes.map((size) => {
    const of = (side, key) =>
      held.filter((one) => one.side === side && one.size === size).map((one) => one[key]);
    return {
      size,
      rss: ratios(of('fairlead', 'rss'), of('bare ws', 'rss')),
      heap: ratios(of('fairlead', 'heap'), of('bare ws', 'heap')),
      fairleadRss: spread(of('fairlead', 'rss')),
      bareRss: spread(of('bare ws', 'rss')),
      fairleadHeap: spread(of('fairlead', 'heap')),
      bareHeap: spread(of('bare ws', 'heap')),
    };
  });
  const result = {
    rows,
    statements,
    storm: { ...storm, ceilingMs: STORM_CEILING_MS, apiCeilingMs: API_CEILING_MS },
    ratios: {
      ...Object.fromEntries(
        rows.map(({ size, rss }) => [`memory a connection at ${size}`, { ...rss, ceiling: MEMORY_CEILING }]),
      ),
      [`statements a second at ${statements.at(-1).brokers} to ${FEW}`]: {
        ...ratios(statements.at(-1).perSecond, statements[0].perSecond),
        ceiling: STATEMENTS_CEILING,
      },
    },
  };
  return { result, text: told(result), plot: plotted(rows) };
}

/** Every round has new processes, which grow step by step; a connection's part is what the process grew by since idle. */
async function measureMemory(server, { sizes, rounds, settleMs }, progress) {
  const databaseUrl = await server.makeDatabase('idle_memory');
  const sides = [
    { name: 'fairlead', grow: growFairlead },
    { name: 'bare ws', grow: growBare },
  ];
  const measured = [];
  let administratorToken;
  for (const [round, order] of interleaved(sides, rounds).entries()) {
    for (const { name, grow } of order) {
      const steps = await grow(sizes);
      measured.push(...steps.map((step) => ({ side: name, round, ...step })));
      const last = steps.at(-1);
      progress(
        `round ${round + 1}/${rounds}: ${name} ${figure(last.rss / 1024)} KiB a connection at ${figure(last.size)}`,
      );
    }
  }
  return measured;

  async function growFairlead(steps) {
    const replica = new Child('fairlead/idle-replica.mjs');
    const { url, administratorToken: made } = await replica.ask('open', environment(databaseUrl, 'memory'));
    administratorToken ??= made;
    const token = await seats(url, administratorToken, steps.at(-1));
    const warm = new Child('fairlead/idle-brokers.mjs');
    const spare = await seats(url, administratorToken, WARM);
    await warm.ask('join', { urls: [url], token: spare, count: WARM });
    await warm.end();
    const brokers = new Child('fairlead/idle-brokers.mjs');
    const found = await growing(replica, steps, (count) =>
      brokers.ask('join', { urls: [url], token, count }),
    );
    await brokers.end();
    await replica.end();
    return found;
  }

  async function growBare(steps) {
    const bare = new Child('bare-sockets.mjs');
    const url = await bare.ask('listen');
    const warm = new Child('bare-sockets.mjs');
    await warm.ask('dial', { url, count: WARM });
    await warm.end();
    const clients = new Child('bare-sockets.mjs');
    const found = await growing(bare, steps, (count) => clients.ask('dial', { url, count }));
    await clients.end();
    await bare.end();
    return found;
  }

  async function growing(child, steps, add) {
    await rest(settleMs / 2);
    const idle = await child.ask('memory');
    const found = [];
    let there = 0;
    for (const size of steps) {
      await add(size - there);
      there = size;
      await rest(settleMs);
      const { rss, heap } = await child.ask('memory');
      found.push({ size, rss: (rss - idle.rss) / size, heap: (heap - idle.heap) / size });
    }
    return found;
  }
}

async function measureFleet(server, { sizes, windows, windowMs, settleMs }, progress) {
  const most = sizes.at(-1);
  const databaseUrl = await server.makeDatabase('idle_fleet');
  const holder = new Child('fairlead/idle-replica.mjs');
  const { url, administratorToken } = await holder.ask('open', environment(databaseUrl, 'holder'));
  const survivor = new Child('fairlead/idle-replica.mjs');
  const other = await survivor.ask('open', environment(databaseUrl, 'survivor'));
  const token = await seats(url, administratorToken, most);
  const brokers = new Child('fairlead/idle-brokers.mjs');

  const statements = [];
  let there = 0;
  for (const size of [Math.min(FEW, most), most]) {
    await brokers.ask('join', { urls: [url, other.url], token, count: size - there });
    there = size;
    await rest(settleMs);
    const perSecond = [];
    for (let window = 0; window < windows; window += 1) {
      const before = await committed(server);
      await rest(windowMs);
      perSecond.push(((await committed(server)) - before) / (windowMs / 1_000));
    }
    statements.push({ brokers: size, perSecond, median: median(perSecond) });
    progress(`${figure(size)} brokers: ${figure(median(perSecond))} transactions a second`);
  }

  progress('killing the replica that holds them all');
  const storm = await stormOf({ databaseUrl, holder, other, administratorToken, most });
  progress(`all owned again after ${figure(storm.ownedMs / 1_000)} s, API p99 ${figure(storm.apiP99Ms)} ms`);
  await brokers.end();
  await survivor.end();
  return { statements, storm };
}

async function stormOf({ databaseUrl, holder, other, administratorToken, most }) {
  const latencies = [];
  let isOver = false;
  const caller = async () => {
    while (!isOver) {
      const begunAt = performance.now();
      const response = await fetch(`${other.url}/api/v1/brokers?limit=20`, {
        headers: { authorization: `Bearer ${administratorToken}` },
      });
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`the API answered ${response.status} in the storm`);
      latencies.push(performance.now() - begunAt);
      await rest(CALL_EVERY_MS);
    }
  };
  process.kill(await holder.ask('pid'), 'SIGKILL');
  const killedAt = performance.now();
  const calling = Promise.all(Array.from({ length: CALLERS }, caller));
  const ownedMs = await withClient(databaseUrl, async (client) => {
    for (;;) {
      const { rows } = await client.query(
        'select count(*)::int as owned from broker_connection where replica_id = $1',
        [other.replicaId],
      );
      const tookMs = performance.now() - killedAt;
      if (rows[0].owned >= most) return tookMs;
      if (tookMs > STORM_PATIENCE_MS)
        throw new Error(`${rows[0].owned} of ${most} are owned after ${tookMs} ms`);
      await rest(100);
    }
  });
  isOver = true;
  await calling;
  return { brokers: most, ownedMs, apiP99Ms: percentile(latencies, 0.99), calls: latencies.length };
}

/** Transactions of the fleet's database so far: nearly every statement of an idle hub is one. */
async function committed(server) {
  const [row] = await server.run(
    `select (xact_commit + xact_rollback)::int as count from pg_stat_database where datname = 'idle_fleet'`,
  );
  return row.count;
}

const sealKey = randomBytes(32).toString('hex');
const clusterSecret = randomBytes(32).toString('hex');

function environment(databaseUrl, name) {
  return {
    DATABASE_URL: databaseUrl,
    FAIRLEAD_SEAL_KEYS: sealKey,
    FAIRLEAD_CLUSTER_SECRET: clusterSecret,
    FAIRLEAD_LISTEN: '127.0.0.1:0',
    FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
    FAIRLEAD_LOG_LEVEL: 'error',
    FAIRLEAD_REPLICA_NAME: name,
    FAIRLEAD_FIRST_BOOT: 'token',
    FAIRLEAD_DRAIN_LINGER_S: '0',
    FAIRLEAD_DRAIN_DEADLINE_S: '1',
  };
}

async function seats(url, administratorToken, count) {
  const response = await fetch(`${url}/api/v1/join-tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${administratorToken}` },
    body: JSON.stringify({ seats: count }),
  });
  if (!response.ok) throw new Error(`no join token: ${await response.text()}`);
  return (await response.json()).token;
}

function told({ rows, statements, storm, ratios: all }) {
  const kib = ({ median: middle, low, high }) =>
    withSpread({ median: middle / 1024, low: low / 1024, high: high / 1024 });
  return [
    table(
      ['brokers', 'fairlead KiB each', 'bare ws KiB each', 'heap KiB each', 'bare heap KiB each'],
      rows.map((row) => [
        row.size.toLocaleString('en-US'),
        kib(row.fairleadRss),
        kib(row.bareRss),
        kib(row.fairleadHeap),
        kib(row.bareHeap),
      ]),
    ),
    '',
    table(
      ['ratio', 'times (lowest to highest)', 'at most'],
      Object.entries(all).map(([name, times]) => [name, withSpread(times, 'x'), `${times.ceiling}x`]),
    ),
    '',
    table(
      ['brokers', 'transactions/s (lowest to highest)'],
      statements.map(({ brokers, perSecond }) => [
        brokers.toLocaleString('en-US'),
        withSpread(spread(perSecond)),
      ]),
    ),
    '',
    `The storm of ${figure(storm.brokers)}: all owned again after ${figure(storm.ownedMs / 1_000)} s (at most ` +
      `${storm.ceilingMs / 1_000} s), API p99 meanwhile ${figure(storm.apiP99Ms)} ms (at most ${storm.apiCeilingMs} ms).`,
  ].join('\n');
}

function plotted(rows) {
  const points = (key) => rows.map((row) => [row.size, row[key].median / 1024]);
  return lines({
    title: 'Memory of the process for each idle broker',
    unit: 'KiB, less is better',
    along: 'brokers linked',
    isLogAlong: true,
    series: [
      { name: 'fairlead', points: points('fairleadRss') },
      { name: 'bare ws', points: points('bareRss') },
    ],
  });
}
