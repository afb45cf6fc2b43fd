/**
 * A durable command across replicas, from its submission to the moment its submitter knows the result, at the level of
 * the engine: against two queues on PostgreSQL and the one that everybody writes first.
 */
import { Child } from '../child.mjs';
import { Fleet } from '../fairlead/fleet.mjs';
import { Peer } from '../peer.mjs';
import { bars } from '../report/plot.mjs';
import { figure, table, withSpread } from '../report/table.mjs';
import { interleaved, median, ratios, spread } from '../statistics.mjs';

const PEERS = ['graphile-worker', 'pg-boss', 'baseline'];
/** `first` commands are done by each side before anything is counted: connections are made, statements prepared, code compiled. */
const FULL = { first: 3_000, rounds: 5, warmMs: 1_000, measureMs: 5_000, turns: 500 };
const QUICK = { first: 250, rounds: 3, warmMs: 200, measureMs: 400, turns: 60 };
const FIRST_IN_FLIGHT = 64;
const IN_FLIGHT = [1, 64, 512];

/** What must at least be reached, as times of the peer's figure. */
const FLOORS = {
  64: { 'graphile-worker': 6, 'pg-boss': 4, baseline: 7 },
  512: { 'graphile-worker': 12, 'pg-boss': 8, baseline: 15 },
};
const FLOOR_OF_ONE = 1.5;

export async function run({ server, isQuick, profileDir, progress, only }) {
  const { first, rounds, warmMs, measureMs, turns } = isQuick ? QUICK : FULL;
  const peers = PEERS.filter((name) => only === undefined || only.includes(name));
  progress('starting every side');
  const fleet = await Fleet.start(server, { profileDir });
  const withKeys = {
    name: 'fairlead, with keys',
    measure: (load) => fleet.measure({ ...load, hasKeys: true }),
  };
  const sides = [fleet, withKeys, ...(await Promise.all(peers.map((name) => Peer.start(name, server))))];
  const probe = await startProbe(server);
  progress('warming every side up');
  for (const side of sides) await side.measure({ inFlight: FIRST_IN_FLIGHT, commands: first });
  await probe.ask('measure', { turns });

  const measured = [];
  for (const inFlight of IN_FLIGHT) {
    for (const [round, order] of interleaved(sides, rounds).entries()) {
      for (const side of order) {
        const result = await side.measure({ inFlight, warmMs, measureMs });
        measured.push({ side: side.name, inFlight, round, ...result });
        progress(
          `${inFlight} in flight, round ${round + 1}/${rounds}: ${side.name} ${figure(result.perSecond)}/s`,
        );
      }
      if (inFlight !== 1) continue;
      const parts = await probe.ask('measure', { turns });
      measured.push({ side: 'probe', inFlight, round, parts });
    }
  }

  const of = (side, inFlight) => measured.filter((one) => one.side === side && one.inFlight === inFlight);
  const rows = IN_FLIGHT.flatMap((inFlight) =>
    sides.map(({ name }) => {
      const column = (key) => of(name, inFlight).map((one) => one[key]);
      return {
        side: name,
        inFlight,
        perSecond: median(column('perSecond')),
        p50Ms: median(column('p50Ms')),
        p99Ms: median(column('p99Ms')),
        perSecondSpread: spread(column('perSecond')),
      };
    }),
  );
  const rates = (side, inFlight) => of(side, inFlight).map(({ perSecond }) => perSecond);
  const ratiosOf = (inFlight) =>
    Object.fromEntries(
      peers.map((name) => [
        name,
        {
          ...ratios(rates('fairlead', inFlight), rates(name, inFlight)),
          floor: FLOORS[inFlight]?.[name] ?? null,
        },
      ]),
    );
  const floor = floorOf(of('probe', 1), of('fairlead', 1));
  const result = {
    rows,
    ratios: {
      ...Object.fromEntries(IN_FLIGHT.map((inFlight) => [inFlight, ratiosOf(inFlight)])),
      'one in flight to the sum of its parts': floor.ratio,
    },
    oneInFlight: floor,
  };
  return { result, text: told(result), plot: plotted(rows) };
}

async function startProbe(server) {
  const probe = new Child('probe.mjs');
  const executor = new Child('executor.mjs');
  await executor.ask('connect', await probe.ask('open', await server.makeDatabase('probe')));
  return probe;
}

/** One durable insert, two NOTIFY round trips, one socket round trip, one durable settle: no command can do with less. */
function floorOf(probes, ours) {
  const part = (name) => median(probes.map(({ parts }) => parts[name].p50Ms));
  const sumOf = ({ parts }, key) =>
    parts.insert[key] + 2 * parts.notify[key] + parts.socket[key] + parts.settle[key];
  const column = (key) => probes.map((probe) => sumOf(probe, key));
  return {
    parts: {
      insertMs: part('insert'),
      notifyMs: part('notify'),
      socketMs: part('socket'),
      settleMs: part('settle'),
    },
    sumP50Ms: median(column('p50Ms')),
    sumP99Ms: median(column('p99Ms')),
    p50Ms: median(ours.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(ours.map(({ p99Ms }) => p99Ms)),
    ratio: {
      ...ratios(
        ours.map(({ p50Ms }) => p50Ms),
        column('p50Ms'),
      ),
      ceiling: FLOOR_OF_ONE,
    },
  };
}

function told({ rows, ratios: all, oneInFlight }) {
  const { parts, sumP50Ms, p50Ms, p99Ms, ratio } = oneInFlight;
  return [
    table(
      ['side', 'in flight', 'commands/s (lowest to highest)', 'p50 ms', 'p99 ms'],
      rows.map((row) => [
        row.side,
        row.inFlight,
        withSpread(row.perSecondSpread),
        figure(row.p50Ms),
        figure(row.p99Ms),
      ]),
    ),
    '',
    table(
      ['in flight', 'Fairlead against', 'times (lowest to highest)', 'floor'],
      Object.entries(all)
        .filter(([inFlight]) => Number(inFlight) > 0)
        .flatMap(([inFlight, peers]) =>
          Object.entries(peers).map(([name, times]) => [
            inFlight,
            name,
            withSpread(times, 'x'),
            times.floor ?? '-',
          ]),
        ),
    ),
    '',
    `One in flight: p50 ${figure(p50Ms)} ms, p99 ${figure(p99Ms)} ms. Its parts: insert ${figure(parts.insertMs)},` +
      ` two NOTIFY of ${figure(parts.notifyMs)}, socket ${figure(parts.socketMs)}, settle ${figure(parts.settleMs)};` +
      ` together ${figure(sumP50Ms)} ms. So p50 is ${withSpread(ratio, 'x')} the sum; at most ${ratio.ceiling}x.`,
  ].join('\n');
}

function plotted(rows) {
  const names = [...new Set(rows.map(({ side }) => side))];
  return bars({
    title: 'Durable commands across replicas, submit to result',
    unit: 'commands a second, more is better',
    groups: IN_FLIGHT.map((inFlight) => `${inFlight} in flight`),
    series: names.map((name) => ({
      name,
      values: rows.filter(({ side }) => side === name).map(({ perSecond }) => perSecond),
    })),
  });
}
