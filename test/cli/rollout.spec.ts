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

describe('fairlead rollout report --since', () => {
  const SINCE = '2026-01-01T00:00:00Z';
  const at = (second: number, report: RolloutDto['report']): RolloutDto => ({
    ...rollout(report),
    replica: { id: ID, name: `pod-${second}` },
    begunAt: `2026-01-01T00:00:0${second}.000Z`,
  });
  const before = { ...rollout({ ...REPORT, clean: false, lost: 9 }), begunAt: '2025-12-31T23:59:59.999Z' };
  const page = (items: RolloutDto[], nextCursor: string | null = null) => ({ body: { items, nextCursor } });

  it('judges every drain since then as one roll, and none before', async () => {
    const ran = await ask(
      ['rollout', 'report', '--since', SINCE],
      page([at(3, REPORT), at(2, REPORT)], 'more'),
      page([at(1, REPORT), before], 'still'),
      page([before]),
    );

    expect(ran.code).toBe(0);
    expect(paths()).toEqual([
      '/api/v1/rollouts?limit=50',
      '/api/v1/rollouts?limit=50&cursor=more',
      '/api/v1/rollouts?limit=50&cursor=still',
    ]);
    expect(ran.out.match(/^pod-\d/gm)).toEqual(['pod-1', 'pod-2', 'pod-3']);
    expect(ran.out).toMatch(/^drains +3$/m);
    expect(ran.out).toMatch(/^brokers moved +36$/m);
  });

  it.each([0, 1, 2])(
    'ends with 1 where the one at place %i alone is not clean, and shows it',
    async (place) => {
      const items = [0, 1, 2].map((each) =>
        at(each, each === place ? { ...REPORT, clean: false, duplicated: 7 } : REPORT),
      );

      const ran = await ask(['rollout', 'report', '--since', SINCE], page(items));

      expect(ran.code).toBe(1);
      expect(ran.out).toMatch(/^duplicated +7$/m);
      expect(ran.out).toMatch(/It is not clean\.\n$/);
    },
  );

  it('ends with 1 where fewer have drained than are expected, and waits for the others', async () => {
    const two = page([at(2, REPORT), at(1, REPORT)]);
    const three = page([at(3, REPORT), at(2, REPORT), at(1, REPORT)]);

    const few = await ask(['rollout', 'report', '--since', SINCE, '--expect', '3', '--wait', '1'], two);
    const late = await ask(['rollout', 'report', '--since', SINCE, '--expect', '3'], two, two, three);

    expect(few.code).toBe(1);
    expect(few.out).toMatch(/^drains +2, of 3 that were expected$/m);
    expect(late.code).toBe(0);
    expect(late.pauses).toHaveLength(2);
  });

  it('ends with 1 where one was not judged in time', async () => {
    const ran = await ask(
      ['rollout', 'report', '--since', SINCE, '--wait', '1'],
      page([at(2, null), at(1, REPORT)]),
    );

    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/^not judged yet +1$/m);
  });

  it('tells the count and all of them as JSON', async () => {
    const ran = await ask(
      ['rollout', 'report', '--since', SINCE, '--expect', '2', '--json'],
      page([at(2, REPORT), at(1, REPORT), before]),
    );

    expect(ran.code).toBe(0);
    expect(ran.json()).toMatchObject({
      since: '2026-01-01T00:00:00.000Z',
      count: 2,
      expected: 2,
      clean: true,
      moved: 24,
      commands: 960,
      longestGapMs: 14,
      unjudged: 0,
      rollouts: [{ replica: { name: 'pod-1' } }, { replica: { name: 'pod-2' } }],
    });
  });

  it('does not pass where no replica has drained since', async () => {
    const ran = await ask(['rollout', 'report', '--since', SINCE], page([before]));

    expect(ran.code).toBe(4);
    expect(ran.err).toContain('No replica has drained since then');
  });

  it.each([
    [[ID, '--since', SINCE], 'id of a drain, or --since'],
    [['--expect', '3'], '--expect needs --since'],
    [['--last', '--since', SINCE], 'cannot be used with'],
  ])('takes no %j', async (words, said) => {
    const ran = await ask(['rollout', 'report', ...words]);

    expect(ran.code).toBe(2);
    expect(ran.err).toContain(said);
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
