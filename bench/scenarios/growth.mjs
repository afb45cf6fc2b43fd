/** The time of a command as the hub grows: in history, and in brokers that are linked. */
import { withClient } from '../database.mjs';
import { Fleet } from '../fairlead/fleet.mjs';
import { lines } from '../report/plot.mjs';
import { figure, table } from '../report/table.mjs';
import { median, spread } from '../statistics.mjs';

const FULL = {
  history: [1e3, 1e4, 1e5, 1e6],
  brokers: [100, 1_000, 10_000],
  rounds: 5,
  warmMs: 1_000,
  measureMs: 4_000,
};
const QUICK = { history: [1e3, 1e4, 1e5], brokers: [10, 100, 500], rounds: 3, warmMs: 300, measureMs: 700 };
const IN_FLIGHT = 64;
const CEILING = 1.2;

/** Ended commands as the hub leaves them, spread over the last twenty days. */
const FILL = `
  insert into broker_dispatch_history
    (id, seq, broker_id, op, args, lane, ordering_key, state, attempt, deadline_at, origin_replica, initiator, trail,
     created_at, ended_at, result)
  select (
           lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' ||
           substr(md5(at::text || n), 1, 3) || '8' || substr(md5(n::text), 1, 15)
         )::uuid,
         -n, $1, 'broker.ping', '{}', 'normal', null, 'succeeded', 1, at + interval '15 minutes', $1,
         '{"kind": "hub", "name": "bench"}', array['{"state": "succeeded"}'], at, at, '{"time": "then"}'
  from generate_series($2::bigint, $3::bigint) as n,
       lateral (select now() - interval '20 days' * random() as at) as moment`;

export async function run({ server, isQuick, profileDir, progress }) {
  const sizes = isQuick ? QUICK : FULL;
  const inHistory = await growHistory(server, sizes, profileDir, progress);
  const inBrokers = await growBrokers(server, sizes, profileDir, progress);
  const rows = [...inHistory, ...inBrokers];
  const flatness = (steps) => ({
    highest: Math.max(...steps.map(({ p50Ms }) => p50Ms)) / steps[0].p50Ms,
    ceiling: CEILING,
  });
  const result = {
    rows,
    ratios: { 'p50 over history': flatness(inHistory), 'p50 over brokers': flatness(inBrokers) },
  };
  return { result, text: told(result), plot: plotted(inHistory, inBrokers) };
}

async function growHistory(server, { history, ...load }, profileDir, progress) {
  progress('starting a fleet of 100 brokers for the history');
  const fleet = await Fleet.start(server, {
    brokers: Math.min(100, load.brokers[1]),
    database: 'history',
    profileDir,
  });
  await fleet.measure({ inFlight: IN_FLIGHT, commands: 2_000 });
  const rows = [];
  let filled = 0;
  for (const size of history) {
    await withClient(fleet.databaseUrl, async (client) => {
      await client.query(FILL, [fleet.brokerIds[0], filled + 1, size]);
      await client.query('analyze broker_dispatch_history');
      await client.query('checkpoint');
    });
    filled = size;
    rows.push(await step(fleet, 'history', size, load, progress));
  }
  await fleet.end();
  return rows;
}

async function growBrokers(server, { brokers, ...load }, profileDir, progress) {
  progress('starting a fleet for the brokers');
  const fleet = await Fleet.start(server, { brokers: brokers[0], database: 'brokers', profileDir });
  await fleet.measure({ inFlight: IN_FLIGHT, commands: 2_000 });
  const rows = [];
  for (const size of brokers) {
    await fleet.addBrokers(size - fleet.brokerIds.length);
    rows.push(await step(fleet, 'brokers', size, load, progress));
  }
  await fleet.end();
  return rows;
}

async function step(fleet, what, size, { rounds, warmMs, measureMs }, progress) {
  const measured = [];
  for (let round = 0; round < rounds; round += 1) {
    measured.push(await fleet.measure({ inFlight: IN_FLIGHT, warmMs, measureMs }));
  }
  const column = (key) => measured.map((one) => one[key]);
  const row = {
    side: what,
    size,
    inFlight: IN_FLIGHT,
    perSecond: median(column('perSecond')),
    p50Ms: median(column('p50Ms')),
    p99Ms: median(column('p99Ms')),
    p50Spread: spread(column('p50Ms')),
  };
  progress(`${figure(size)} in ${what}: p50 ${figure(row.p50Ms)} ms, ${figure(row.perSecond)}/s`);
  return row;
}

function told({ rows, ratios: all }) {
  return [
    table(
      ['grown', 'to', 'in flight', 'commands/s', 'p50 ms', 'lowest', 'highest', 'p99 ms'],
      rows.map(({ side, size, inFlight, perSecond, p50Ms, p99Ms, p50Spread }) => [
        side,
        size.toLocaleString('en-US'),
        inFlight,
        figure(perSecond),
        figure(p50Ms),
        figure(p50Spread.low),
        figure(p50Spread.high),
        figure(p99Ms),
      ]),
    ),
    '',
    ...Object.entries(all).map(
      ([name, { highest, ceiling }]) =>
        `${name}: at most ${figure(highest)}x its first figure; allowed ${ceiling}x.`,
    ),
  ].join('\n');
}

function plotted(inHistory, inBrokers) {
  const points = (rows) => rows.map(({ size, p50Ms }) => [size, p50Ms]);
  return lines({
    title: 'p50 of a command as the hub grows',
    unit: 'milliseconds, less is better',
    along: 'rows in history, or brokers linked',
    isLogAlong: true,
    series: [
      { name: 'history', points: points(inHistory) },
      { name: 'brokers', points: points(inBrokers) },
    ],
  });
}
