/**
 * The storm when the replica that holds a whole fleet is killed: how long until another one owns every broker, and what
 * callers of its API feel meanwhile. The brokers know both replicas, and live in one process on the same machine.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as rest } from 'node:timers/promises';
import { Child } from '../child.mjs';
import { withClient } from '../database.mjs';
import { environment, seats } from '../fairlead/idle-fleet.mjs';
import { lines } from '../report/plot.mjs';
import { figure, table } from '../report/table.mjs';
import { percentile } from '../statistics.mjs';

const FULL = { brokers: 10_000, settleMs: 5_000 };
const QUICK = { brokers: 300, settleMs: 1_000 };
const CEILING_MS = 60_000;
const API_CEILING_MS = 1_000;
const PATIENCE_MS = 180_000;
const LOOK_MS = 500;
const CALLERS = 4;
const CALL_EVERY_MS = 25;
/** What simulates so many brokers leaves much behind at once; it is not what is measured. */
const ROOM_FOR_GARBAGE = ['--max-semi-space-size=64'];

export async function run({ server, isQuick, progress }) {
  const { brokers: count, settleMs } = isQuick ? QUICK : FULL;
  const databaseUrl = await server.makeDatabase('storm');
  const holder = new Child('fairlead/idle-replica.mjs');
  const { url, administratorToken } = await holder.ask('open', environment(databaseUrl, 'holder'));
  const survivor = new Child('fairlead/idle-replica.mjs');
  const other = await survivor.ask('open', environment(databaseUrl, 'survivor'));
  const token = await seats(url, administratorToken, count);
  const brokers = new Child('fairlead/idle-brokers.mjs', { execArgv: ROOM_FOR_GARBAGE });
  progress(`${figure(count)} brokers join`);
  await brokers.ask('join', { urls: [url, other.url], token, count });
  await rest(settleMs);

  progress('killing the replica that holds them all');
  process.kill(await holder.ask('pid'), 'SIGKILL');
  const killedAt = performance.now();
  const calls = new Calls(other.url, administratorToken);
  const owned = await ownedOverTime({ databaseUrl, replicaId: other.replicaId, count, killedAt, progress });
  const latencies = await calls.end();
  await brokers.end();
  await survivor.end();

  const result = {
    brokers: count,
    ownedMs: owned.at(-1).atMs,
    ceilingMs: CEILING_MS,
    apiP50Ms: percentile(latencies, 0.5),
    apiP99Ms: percentile(latencies, 0.99),
    apiCeilingMs: API_CEILING_MS,
    calls: latencies.length,
    owned,
  };
  return { result, text: told(result), plot: plotted(result) };
}

/** Callers of the API who take no refusal. */
class Calls {
  #isOver = false;
  #latencies = [];
  #calling;

  constructor(url, token) {
    this.#calling = Promise.all(Array.from({ length: CALLERS }, () => this.#call(url, token)));
    // Told by `end`.
    this.#calling.catch(() => undefined);
  }

  async #call(url, token) {
    while (!this.#isOver) {
      const begunAt = performance.now();
      const response = await fetch(`${url}/api/v1/brokers?limit=20`, {
        headers: { authorization: `Bearer ${token}` },
      });
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`the API answered ${response.status} in the storm`);
      this.#latencies.push(performance.now() - begunAt);
      await rest(CALL_EVERY_MS);
    }
  }

  /** @returns how long each call took, in milliseconds */
  async end() {
    this.#isOver = true;
    await this.#calling;
    return this.#latencies;
  }
}

/** @returns how many were owned by then, from the kill on until all are */
async function ownedOverTime({ databaseUrl, replicaId, count, killedAt, progress }) {
  const found = [];
  await withClient(databaseUrl, async (client) => {
    for (;;) {
      const { rows } = await client.query(
        'select count(*)::int as owned from broker_connection where replica_id = $1',
        [replicaId],
      );
      const [{ owned }] = rows;
      const atMs = performance.now() - killedAt;
      found.push({ atMs, owned });
      if (owned >= count) return;
      if (atMs > PATIENCE_MS) throw new Error(`${owned} of ${count} are owned after ${figure(atMs)} ms`);
      if (found.length % 20 === 0) progress(`${figure(owned)} are owned`);
      await rest(LOOK_MS);
    }
  });
  return found;
}

function told({ brokers, ownedMs, ceilingMs, apiP50Ms, apiP99Ms, apiCeilingMs, calls }) {
  return table(
    ['of', 'measured', 'at most'],
    [
      [
        `${figure(brokers)} brokers, until all are owned`,
        `${figure(ownedMs / 1_000)} s`,
        `${ceilingMs / 1_000} s`,
      ],
      [`${figure(calls)} calls meanwhile, p50`, `${figure(apiP50Ms)} ms`, ''],
      ['the same, p99', `${figure(apiP99Ms)} ms`, `${apiCeilingMs} ms`],
    ],
  );
}

function plotted({ owned }) {
  return lines({
    title: 'Brokers owned again after their replica was killed',
    unit: 'brokers',
    along: 'seconds since then',
    series: [{ name: 'owned', points: owned.map(({ atMs, owned: count }) => [atMs / 1_000, count]) }],
  });
}
