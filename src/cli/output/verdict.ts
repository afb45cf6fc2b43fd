import type { Verdict } from '../../hub/verify/main.js';
import type { Paint } from './colour.js';
import { facts, table } from './table.js';

/** What a proof came to, for people: what was looked at, and each rule that was seen to be broken. */
export function verdictLines(verdict: Verdict, paint: Paint): string[] {
  const { dispatches, ended, live, states, unknown, lateResults, effects, answers, unjudged } = verdict;
  const summary = facts(
    [
      ['dispatches', dispatches],
      ['ended', ended],
      ['live', live],
      ['states', statesOf(states)],
      ['outcome unknown', unknown],
      ['late results', lateResults],
      ['effects', effects ?? undefined],
      ['answers', answers ?? undefined],
      ['not judged', unjudged === 0 ? undefined : unjudged],
    ],
    paint,
  );
  return [...summary, '', ...violationLines(verdict, paint)];
}

function violationLines({ violations, violationCount, unjudged, clean }: Verdict, paint: Paint): string[] {
  if (clean) return [paint('green', 'Every rule holds.')];
  const late =
    unjudged === 0
      ? []
      : [`The order of ${unjudged} could not be judged: the time in their id is more than an hour off.`];
  if (violationCount === 0) return late;
  const left = violationCount - violations.length;
  return [
    ...table(
      violations,
      [
        { title: 'DISPATCH', of: ({ dispatchId }) => dispatchId },
        { title: 'RULE', of: ({ rule }) => rule },
        { title: 'SEEN', of: ({ seen }) => seen },
      ],
      paint,
    ),
    ...(left > 0 ? [`and ${left} more`] : []),
    '',
    paint('red', violationCount === 1 ? '1 violation.' : `${violationCount} violations.`),
    ...late,
  ];
}

function statesOf(states: Record<string, number>): string {
  return Object.entries(states)
    .map(([state, count]) => `${state} ${count}`)
    .join(', ');
}
