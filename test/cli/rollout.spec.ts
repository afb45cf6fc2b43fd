import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import type { RolloutDto } from '../../src/hub/drain/dto/rollout.dto.js';
import { expectNoLeaks } from '../support/leaks.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { ScriptedHub, type Answer } from './support/scripted-hub.js';

const ID = '0198f1a2-7c44-7e11-9d5e-dddddddddddd';
const REPORT: NonNullable<RolloutDto['report']> = {
  clean: true,
  moved: 12,
  letGo: 0,
  left: 0,
  unowned: 0,
  gapMs: { p50: 0, p99: 14, max: 14 },
  gaps: [{ broker: { id: ID, name: 'laptop' }, ms: 14 }],
  commands: 480,
  live: 0,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  irregular: 0,
  unknown: 0,
  unknownIds: [],
  violations: [],
  isWhole: true,
};

const rollout = (report: RolloutDto['report']): RolloutDto => ({
  id: ID,
  replica: { id: ID, name: 'pod-1' },
  software: 'fairlead/1',
  begunAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-01T00:00:20.000Z',
  outcome: 'moved',
  steps: [{ step: 'announced', ms: 3, brokers: 12, inFlight: 7 }],
  judgedAt: report === null ? null : '2026-01-01T00:00:22.000Z',
  report,
});

let hub: ScriptedHub | undefined;

async function ask(argv: string[], ...answers: Answer[]) {
  await hub?.close();
  hub = await ScriptedHub.open(...answers);
  return runCli(argv, { env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } });
}

const paths = () => (hub?.asked ?? []).map(({ path }) => path);

afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

afterAll(() => expectNoLeaks());

describe('fairlead rollout report', () => {
  it('prints the last one with its steps and its gaps, and ends with 0 where it is clean', async () => {
    const ran = await ask(['rollout', 'report', '--last'], {
      body: { items: [rollout(REPORT)], nextCursor: null },
    });

    expect(ran.code).toBe(0);
    expect(paths()).toEqual(['/api/v1/rollouts?limit=1']);
    expect(ran.out).toMatch(/^announced +3 +12 +7$/m);
    expect(ran.out).toMatch(/^brokers moved +12$/m);
    expect(ran.out).toMatch(/^laptop +14$/m);
  });

  it.each(['lost', 'duplicated', 'reordered'] as const)(
    'ends with 1 where something was %s',
    async (fault) => {
      const ran = await ask(['rollout', 'report', ID], {
        body: rollout({ ...REPORT, clean: false, [fault]: 1 }),
      });

      expect(ran.code).toBe(1);
      expect(ran.out).toMatch(new RegExp(`^${fault} +1$`, 'm'));
    },
  );

  it('waits until it was judged, and ends with 1 where it is not in time', async () => {
    const waited = await ask(
      ['rollout', 'report', ID, '--json'],
      { body: rollout(null) },
      { body: rollout(null) },
      { body: rollout(REPORT) },
    );
    const asked = paths();
    const late = await ask(['rollout', 'report', ID, '--wait', '1'], { body: rollout(null) });

    expect(waited.code).toBe(0);
    expect(asked).toEqual(Array.from({ length: 3 }, () => `/api/v1/rollouts/${ID}`));
    expect(JSON.parse(waited.out)).toMatchObject({ id: ID, report: { moved: 12 } });
    expect(late.code).toBe(1);
    expect(late.out).toContain('not judged yet');
  });

  it('says so where no replica has drained yet', async () => {
    const ran = await ask(['rollout', 'report'], { body: { items: [], nextCursor: null } });

    expect(ran.code).toBe(4);
    expect(ran.err).toContain('No replica has drained yet');
  });
});

describe('fairlead rollout list', () => {
  it('shows each with what it came to', async () => {
    const items = [rollout(REPORT), rollout(null)];

    const ran = await ask(['rollout', 'list'], { body: { items, nextCursor: null } });

    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/pod-1 .* moved +12 +14 +480 +yes/);
  });
});
