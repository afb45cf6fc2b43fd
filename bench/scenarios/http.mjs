/**
 * A durable command through the public HTTP API with authentication, from the request to the answer with its result,
 * load included; against a bare route that stores one row, and against Fairlead's own engine.
 */
import { Child } from '../child.mjs';
import { Fleet } from '../fairlead/fleet.mjs';
import { postRequest } from '../http-client.mjs';
import { bars } from '../report/plot.mjs';
import { figure, table, withSpread } from '../report/table.mjs';
import { interleaved, median, ratios, spread } from '../statistics.mjs';

const FULL = { rounds: 5, warmMs: 2_000, measureMs: 5_000 };
const QUICK = { rounds: 3, warmMs: 500, measureMs: 1_000 };
const IN_FLIGHT = 256;
const FLOOR_PER_SECOND = 3_000;
const FLOOR_OF_BARE = 0.4;

export async function run({ server, isQuick, profileDir, progress }) {
  const { rounds, warmMs, measureMs } = isQuick ? QUICK : FULL;
  progress('starting two replicas, a broker, the bare route and the callers');
  const fleet = await Fleet.start(server, { profileDir });
  const bare = new Child('bare-route.mjs');
  const bareUrl = await bare.ask('open', await server.makeDatabase('bare_route'));
  const callers = new Child('caller.mjs');
  const load = { inFlight: IN_FLIGHT, warmMs, measureMs };
  const through = (requests) => (given) => callers.ask('measure', { requests, ...given });
  const sides = [
    { name: 'fairlead http', measure: through(requestsOf(fleet)) },
    { name: 'fairlead engine', measure: (given) => fleet.measure(given) },
    {
      name: 'bare route',
      measure: through([
        { url: bareUrl, text: postRequest(bareUrl, '/commands', {}), expected: '"state":"pending"' },
      ]),
    },
  ];
  progress('warming every side up');
  for (const side of sides) await side.measure({ inFlight: IN_FLIGHT, commands: 2_000 });

  const measured = [];
  for (const [round, order] of interleaved(sides, rounds).entries()) {
    for (const { name, measure } of order) {
      const result = await measure(load);
      measured.push({ side: name, ...result });
      progress(`round ${round + 1}/${rounds}: ${name} ${figure(result.perSecond)}/s`);
    }
  }

  const column = (side, key) => measured.filter((one) => one.side === side).map((one) => one[key]);
  const rows = sides.map(({ name }) => ({
    side: name,
    inFlight: IN_FLIGHT,
    perSecond: median(column(name, 'perSecond')),
    p50Ms: median(column(name, 'p50Ms')),
    p99Ms: median(column(name, 'p99Ms')),
    perSecondSpread: spread(column(name, 'perSecond')),
  }));
  const ours = column('fairlead http', 'perSecond');
  const result = {
    rows,
    floors: { perSecond: FLOOR_PER_SECOND },
    ratios: {
      'bare route': { ...ratios(ours, column('bare route', 'perSecond')), floor: FLOOR_OF_BARE },
      'fairlead engine': { ...ratios(ours, column('fairlead engine', 'perSecond')), floor: null },
    },
  };
  return { result, text: told(result), plot: plotted(rows) };
}

/** Half of the callers at each replica, as behind a balancer; each waits for the end of its command. */
function requestsOf({ originUrl, ownerUrl, administratorToken, brokerIds: [brokerId] }) {
  const headers = { authorization: `Bearer ${administratorToken}`, prefer: 'wait=60' };
  const body = { op: 'broker.ping', orderingKey: null };
  return [originUrl, ownerUrl].map((url) => ({
    url,
    text: postRequest(url, `/api/v1/brokers/${brokerId}/dispatches`, body, headers),
    expected: '"state":"succeeded"',
  }));
}

function told({ rows, ratios: all }) {
  return [
    table(
      ['side', 'in flight', 'requests/s (lowest to highest)', 'p50 ms', 'p99 ms'],
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
      ['Fairlead through HTTP against', 'times (lowest to highest)', 'floor'],
      Object.entries(all).map(([name, times]) => [name, withSpread(times, 'x'), times.floor ?? '-']),
    ),
    '',
    `At least ${figure(FLOOR_PER_SECOND)} requests a second are to be reached on 2 cores.`,
  ].join('\n');
}

function plotted(rows) {
  return bars({
    title: 'Durable commands through the public API, request to result',
    unit: 'requests a second, more is better',
    groups: [`${IN_FLIGHT} in flight`],
    series: rows.map(({ side, perSecond }) => ({ name: side, values: [perSecond] })),
  });
}
