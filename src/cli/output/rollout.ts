import type { RolloutDto } from '../../hub/drain/dto/rollout.dto.js';
import type { Paint } from './colour.js';
import { facts, table, type Column } from './table.js';

/** What a line tells of a drain. */
export const ROLLOUT_COLUMNS: readonly Column<RolloutDto>[] = [
  { title: 'REPLICA', of: ({ replica }) => replica.name },
  { title: 'BEGUN', of: ({ begunAt }) => begunAt },
  { title: 'OUTCOME', of: ({ outcome }) => outcome },
  { title: 'MOVED', of: ({ report }) => report?.moved },
  { title: 'GAP MS', of: ({ report }) => report?.gapMs.max },
  { title: 'COMMANDS', of: ({ report }) => report?.commands },
  { title: 'CLEAN', of: ({ report }) => (report === null ? null : report.clean ? 'yes' : 'no') },
];

const GAPS_SHOWN = 10;

/** The report of one drain, for people: its steps, what became of the brokers, and what became of the commands. */
export function rolloutLines(
  { replica, outcome, begunAt, steps, report }: RolloutDto,
  paint: Paint,
): string[] {
  const head = facts(
    [
      ['replica', `${replica.name} (${replica.id})`],
      ['begun', begunAt],
      ['outcome', outcome ?? 'not ended'],
    ],
    paint,
  );
  const walked = table(
    steps,
    [
      { title: 'STEP', of: ({ step }) => step },
      { title: 'AFTER MS', of: ({ ms }) => ms },
      { title: 'BROKERS', of: ({ brokers }) => brokers },
      { title: 'IN FLIGHT', of: ({ inFlight }) => inFlight },
    ],
    paint,
  );
  return [...head, '', ...walked, '', ...reportLines(report, paint)];
}

/** What a roll came to: all drains of a time, judged as one. */
export type RolloutSummary = {
  since: string;
  /** Replicas that have drained. */
  count: number;
  /** As many as there should be at least; null where nobody said. */
  expected: number | null;
  /** Each of them is clean, and there are as many as were expected. */
  clean: boolean;
  /** Over all of them. */
  moved: number;
  commands: number;
  longestGapMs: number;
  unjudged: number;
  /** Oldest first. */
  rollouts: RolloutDto[];
};

export function summaryOf(
  rollouts: readonly RolloutDto[],
  { sinceMs, expected }: { sinceMs: number; expected: number | null },
): RolloutSummary {
  const reports = rollouts.flatMap(({ report }) => (report === null ? [] : [report]));
  return {
    since: new Date(sinceMs).toISOString(),
    count: rollouts.length,
    expected,
    clean: rollouts.length >= (expected ?? 1) && rollouts.every(({ report }) => report?.clean === true),
    moved: reports.reduce((sum, { moved }) => sum + moved, 0),
    commands: reports.reduce((sum, { commands }) => sum + commands, 0),
    longestGapMs: Math.max(0, ...reports.map(({ gapMs }) => gapMs.max)),
    unjudged: rollouts.length - reports.length,
    rollouts: [...rollouts],
  };
}

/** One line for each drain, in full those that are not clean, and what all of them came to. */
export function rolloutsLines(summary: RolloutSummary, paint: Paint): string[] {
  const { count, expected, clean, moved, commands, longestGapMs, unjudged, rollouts } = summary;
  const each = table(rollouts, ROLLOUT_COLUMNS, paint);
  const unclean = rollouts.filter(({ report }) => report !== null && !report.clean);
  const totals = facts(
    [
      ['drains', expected === null ? count : `${count}, of ${expected} that were expected`],
      ['brokers moved', moved],
      ['longest gap ms', longestGapMs],
      ['commands', commands],
      ['not judged yet', unjudged === 0 ? undefined : unjudged],
    ],
    paint,
  );
  return [
    ...each,
    '',
    ...unclean.flatMap((rollout) => [...rolloutLines(rollout, paint), '']),
    ...totals,
    '',
    clean ? paint('green', 'Nothing was lost, duplicated or reordered.') : paint('red', 'It is not clean.'),
  ];
}

function reportLines(report: RolloutDto['report'], paint: Paint): string[] {
  if (report === null) return [paint('red', 'It was not judged yet.')];
  const { moved, letGo, left, unowned, gapMs, gaps, commands, live } = report;
  const { lost, duplicated, reordered, irregular, unknown, isWhole, violations, clean } = report;
  const longest = gaps.filter(({ ms }) => ms > 0).slice(0, GAPS_SHOWN);
  const counts = facts(
    [
      ['brokers moved', moved],
      ['cut at the deadline', letGo],
      ['said goodbye', left],
      ['without an owner', unowned],
      ['longest gap ms', `p50 ${gapMs.p50}, p99 ${gapMs.p99}, max ${gapMs.max}`],
      ['commands', commands],
      ['still live', live],
      ['lost', lost],
      ['duplicated', duplicated],
      ['reordered', reordered],
      ['irregular', irregular],
      ['outcome unknown', unknown],
      ['not all judged', isWhole ? undefined : 'there were more'],
    ],
    paint,
  );
  return [
    ...counts,
    ...(longest.length === 0 ? [] : ['']),
    ...(longest.length === 0
      ? []
      : table(
          longest,
          [
            { title: 'BROKER', of: ({ broker }) => broker.name },
            { title: 'GAP MS', of: ({ ms }) => ms },
          ],
          paint,
        )),
    '',
    ...violations.map(({ rule, dispatchId, seen }) => `${dispatchId ?? '-'}  ${rule}  ${seen}`),
    clean ? paint('green', 'Nothing was lost, duplicated or reordered.') : paint('red', 'It is not clean.'),
  ];
}
