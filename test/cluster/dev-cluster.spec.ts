import { spawn, type ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Rolled } from '../../scripts/cluster/dev-cluster.js';

/** By what the task says that it takes. */
const UP_WITHIN_MS = 60_000;
const REPLICAS = 3;
const BROKERS = 2;

let child: ChildProcess | undefined;

type Outcome = { ok: boolean; upMs: number; rolled: Rolled | null };

/** As `npm run dev:cluster` does, at a port that is free. */
async function devCluster(
  ...args: string[]
): Promise<{ code: number | null; outcome: Outcome; said: string }> {
  const program = ['dist/scripts/cluster/main.js', '--port', '0', ...args];
  const cluster = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'pipe'] });
  child = cluster;
  const [out, said] = await Promise.all([text(cluster.stdout), text(cluster.stderr), once(cluster, 'close')]);
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  if (last === '') throw new Error(`it told no outcome:\n${said}`);
  return { code: cluster.exitCode, outcome: JSON.parse(last) as Outcome, said };
}

// Where a test is over before the cluster is: it ends what it started.
afterEach(() => {
  child?.kill('SIGTERM');
});

describe('the cluster of somebody who works on the hub', () => {
  it('is up within a minute, and is rolled under load with nobody noticing', async () => {
    const { code, outcome, said } = await devCluster('--roll', '--exit', '--json');

    const { rolled, upMs } = outcome;
    expect({ code, ok: outcome.ok, refused: rolled?.refused, said }).toEqual({
      code: 0,
      ok: true,
      refused: 0,
      said: expect.any(String),
    });
    expect(upMs).toBeLessThan(UP_WITHIN_MS);
    expect(rolled?.taken).toBeGreaterThan(0);
    expect(rolled?.rollouts).toHaveLength(REPLICAS);
    for (const rollout of rolled?.rollouts ?? [])
      expect(rollout).toMatchObject({ clean: true, lost: 0, duplicated: 0, reordered: 0 });
    // Each of them has left a replica that was replaced, once at least.
    const moved = (rolled?.rollouts ?? []).reduce((sum, rollout) => sum + rollout.moved, 0);
    expect(moved).toBeGreaterThanOrEqual(BROKERS);
  }, 300_000);
});
