import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Verdict } from '../../src/hub/verify/main.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD, type HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { Caller } from './support/caller.js';
import { WorkingBroker } from './support/working-broker.js';

const REPLICAS = 3;
const BROKERS = 10;
/** Under load for so long, and longer where replicas take their time to boot, until so many were killed. */
const FOR_MS = 60_000;
const KILLS = 5;
/** What a caller rests between two commands: enough load to hit every step, and little enough for two cores. */
const CALLER_RESTS_MS = 20;

/** Numbers that a seed decides (mulberry32), so that a schedule that failed can be run again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('three replicas and ten brokers, for a minute in which replicas are killed at random', () => {
  const seed = Number(process.env.FAIRLEAD_TEST_SEED ?? Date.now() % 1_000_000);
  let cluster: Cluster;
  let folder: string;
  let live: HubProcess[];
  let workers: WorkingBroker[];
  let callers: Caller[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-kills-'));
    cluster = await Cluster.start(REPLICAS);
    live = [...cluster.hubs];
    workers = [];
    callers = [];
    for (let count = 0; count < BROKERS; count += 1) {
      const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      workers.push(new WorkingBroker(broker, () => from(count).map(({ url }) => url)));
      for (const [place, key] of ['a', 'b'].entries()) {
        const apis = () => from(count + 1 + place).map(({ url }) => cluster.api(0).at(url));
        callers.push(new Caller(broker.id, apis, key, CALLER_RESTS_MS));
      }
    }
  });

  afterAll(async () => {
    await Promise.all(callers.map((caller) => caller.stop()));
    await Promise.all(workers.map((worker) => worker.stop()));
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const from = (place: number) => [...live.slice(place % live.length), ...live.slice(0, place % live.length)];

  function file(name: string, lines: readonly object[]): string {
    const path = join(folder, name);
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  }

  /** What `fairlead verify` says of everything that there is evidence of. */
  async function verdict(): Promise<Verdict & { code: number }> {
    const argv = ['verify', '--json', '--settled', '--witness'];
    argv.push(
      file(
        'effects',
        workers.flatMap(({ effects }) => effects),
      ),
    );
    argv.push(
      '--answers',
      file(
        'answers',
        callers.flatMap(({ answers }) => answers),
      ),
    );
    const FAIRLEAD_URL = live[0]?.url ?? '';
    const FAIRLEAD_TOKEN = cluster.administratorToken;
    const env = { PATH: process.env.PATH, FAIRLEAD_HOME: folder, FAIRLEAD_URL, FAIRLEAD_TOKEN };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, [FAIRLEAD, ...argv], { env, maxBuffer: 2 ** 26 }, (error, out, err) => {
        if (!out.startsWith('{')) return reject(new Error(`no verdict: ${out}${err}`));
        const code = typeof error?.code === 'number' ? error.code : 0;
        resolve({ ...(JSON.parse(out) as Verdict), code });
      });
    });
  }

  async function liveCommands(): Promise<number> {
    const lists = await Promise.all(
      ['pending', 'claimed', 'running'].map((state) =>
        cluster
          .api(0)
          .at(live[0]?.url ?? '')
          .get(`/api/v1/dispatches?state=${state}&limit=1`),
      ),
    );
    return lists.reduce((sum, { body }) => sum + body.items.length, 0);
  }

  it('loses, doubles and reorders nothing, and every answer to a caller was true', async () => {
    const random = seeded(seed);
    const until = performance.now() + FOR_MS;
    let kills = 0;
    while (performance.now() < until || kills < KILLS) {
      await rest(1_000 + 4_000 * random());
      const victim = live[Math.floor(random() * live.length)];
      if (victim === undefined) throw new Error('no replica is left');
      live = live.filter((hub) => hub !== victim);
      await victim.kill();
      kills += 1;
      await rest(500 * random());
      live = [...live, await cluster.addReplica()];
    }
    await Promise.all(callers.map((caller) => caller.stop()));
    await eventually(async () => (await liveCommands()) === 0, { withinMs: 40_000, everyMs: 500 });

    const found = await verdict();

    const { code, clean, byRule, violations } = found;
    expect({ seed, code, clean, byRule, violations }).toEqual({
      seed,
      code: 0,
      clean: true,
      byRule: {},
      violations: [],
    });
    expect(found.effects).toBe(found.dispatches);
    expect(found.dispatches).toBeGreaterThan(1_000);
  }, 240_000);
});
