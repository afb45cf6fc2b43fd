/**
 * Latency while somebody holds a transaction open for the whole run, so that no dead row may be removed: two fleets take
 * turns, one in a database with such a transaction. PostgreSQL keeps the rows of one database only, so that the
 * other fleet is not touched by it.
 */
import pg from 'pg';
import { Fleet } from '../fairlead/fleet.mjs';
import { lines } from '../report/plot.mjs';
import { figure, table, withSpread } from '../report/table.mjs';
import { interleaved, median, ratios } from '../statistics.mjs';

const FULL = { commands: 1_000_000, slices: 20 };
const QUICK = { commands: 12_000, slices: 6 };
const IN_FLIGHT = 64;
const CEILING = 1.2;

export async function run({ server, isQuick, profileDir, progress }) {
  const { commands, slices } = isQuick ? QUICK : FULL;
  progress('starting two fleets');
  const unpinned = await Fleet.start(server, { database: 'unpinned', profileDir });
  const pinned = await Fleet.start(server, { database: 'pinned', profileDir });
  unpinned.name = 'unpinned';
  pinned.name = 'pinned';
  for (const side of [unpinned, pinned]) await side.measure({ inFlight: IN_FLIGHT, commands: 2_000 });
  const unpin = await pin(pinned.databaseUrl);

  const measured = { unpinned: [], pinned: [] };
  for (const [slice, order] of interleaved([unpinned, pinned], slices).entries()) {
    for (const side of order) {
      const result = await side.measure({ inFlight: IN_FLIGHT, commands: commands / slices });
      measured[side.name].push(result);
      progress(
        `${figure(((slice + 1) * commands) / slices)} commands: ${side.name} p99 ${figure(result.p99Ms)} ms, ` +
          `${figure(result.perSecond)}/s`,
      );
    }
  }
  await unpin();

  // The end of the run is where it hurts: the last quarter of the slices is judged, as pairs.
  const last = Math.max(3, Math.round(slices / 4));
  const end = (side, key) => measured[side].slice(-last).map((one) => one[key]);
  const rows = ['unpinned', 'pinned'].map((side) => ({
    side,
    inFlight: IN_FLIGHT,
    perSecond: median(end(side, 'perSecond')),
    p50Ms: median(end(side, 'p50Ms')),
    p99Ms: median(end(side, 'p99Ms')),
  }));
  const result = {
    commands,
    rows,
    ratios: {
      'p99 pinned to unpinned': {
        ...ratios(end('pinned', 'p99Ms'), end('unpinned', 'p99Ms')),
        ceiling: CEILING,
      },
    },
    slices: measured,
  };
  return { result, text: told(result), plot: plotted(measured, commands / slices) };
}

/** Opens a transaction that sees the database as it is now, and leaves it open. @returns how to end it */
async function pin(url) {
  const client = new pg.Client({
    connectionString: url,
    options: '-c idle_in_transaction_session_timeout=0',
  });
  await client.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select pg_current_xact_id()');
  return () => client.end();
}

function told({ commands, rows, ratios: all }) {
  const times = all['p99 pinned to unpinned'];
  return [
    table(
      ['side', 'in flight', 'commands/s', 'p50 ms', 'p99 ms'],
      rows.map((row) => [
        row.side,
        row.inFlight,
        figure(row.perSecond),
        figure(row.p50Ms),
        figure(row.p99Ms),
      ]),
    ),
    '',
    `After ${figure(commands)} commands under one open transaction p99 is ${withSpread(times, 'x')} that of the same run` +
      ` without it; at most ${times.ceiling}x.`,
  ].join('\n');
}

function plotted(measured, each) {
  return lines({
    title: 'p99 of a command while a transaction stays open',
    unit: 'milliseconds, less is better',
    along: 'commands so far',
    series: Object.entries(measured).map(([name, slices]) => ({
      name,
      points: slices.map(({ p99Ms }, slice) => [(slice + 1) * each, p99Ms]),
    })),
  });
}
