/**
 * What idle brokers cost: memory of the replica that holds them against a bare server with as many sockets, statements of
 * the database as they grow in number, and the storm when their replica is killed, which is a scenario of its own too.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { Child } from '../child.mjs';
import { environment, seats } from '../fairlead/idle-fleet.mjs';
import { lines } from '../report/plot.mjs';
import { figure, table, withSpread } from '../report/table.mjs';
import { interleaved, median, ratios, spread } from '../statistics.mjs';
import { run as measureStorm } from './storm.mjs';

const FULL = { sizes: [1_000, 5_000, 10_000], rounds: 5, windows: 5, windowMs: 60_000, settleMs: 10_000 };
const QUICK = { sizes: [300, 600], rounds: 1, windows: 2, windowMs: 5_000, settleMs: 1_000 };
/** Linked and gone again before the idle self is measured, so that code and buffers are there already. */
const WARM = 50;
const FEW = 100;
const MEMORY_CEILING = 1.5;
const STATEMENTS_CEILING = 1.2;

export async function run({ server, isQuick, progress }) {
  const sizes = isQuick ? QUICK : FULL;
  const held = await measureMemory(server, sizes, progress);
  const statements = await measureStatements(server, sizes, progress);
  const storm = await measureStorm({ server, isQuick, progress });

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
    storm: storm.result,
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
  return { result, text: `${told(result)}\n\n${storm.text}`, plot: plotted(rows) };
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

async function measureStatements(server, { sizes, windows, windowMs, settleMs }, progress) {
  const most = sizes.at(-1);
  const databaseUrl = await server.makeDatabase('idle_fleet');
  const holder = new Child('fairlead/idle-replica.mjs');
  const { url, administratorToken } = await holder.ask('open', environment(databaseUrl, 'holder'));
  const token = await seats(url, administratorToken, most);
  const brokers = new Child('fairlead/idle-brokers.mjs');

  const statements = [];
  let there = 0;
  for (const size of [Math.min(FEW, most), most]) {
    await brokers.ask('join', { urls: [url], token, count: size - there });
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

  await brokers.end();
  await holder.end();
  return statements;
}

/** Transactions of the fleet's database so far: nearly every statement of an idle hub is one. */
async function committed(server) {
  const [row] = await server.run(
    `select (xact_commit + xact_rollback)::int as count from pg_stat_database where datname = 'idle_fleet'`,
  );
  return row.count;
}

function told({ rows, statements, ratios: all }) {
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
