import type { RolloutDto } from '../../hub/drain/dto/rollout.dto.js';
import type { Paint } from './colour.js';
import { facts, table } from './table.js';

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
