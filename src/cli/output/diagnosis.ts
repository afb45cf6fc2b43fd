import type { Diagnosis } from '../surroundings.js';
import type { Colour, Paint } from './colour.js';
import { printable } from './printable.js';

const COLOURS: Readonly<Record<Diagnosis['findings'][number]['severity'], Colour>> = {
  error: 'red',
  warning: 'yellow',
  note: 'dim',
};

/** Each finding with what to do about it, the worst first; then what was looked at, and what could not be. */
export function diagnosisLines({ checks, findings }: Diagnosis, paint: Paint): string[] {
  const found = findings.flatMap(({ code, severity, what, remedy }) => [
    `${paint(COLOURS[severity], severity.padEnd(7))}  ${code}: ${printable(what)}`,
    `         ${printable(remedy)}`,
  ]);
  const named = (outcome: string) =>
    checks.flatMap((each) => (each.outcome === outcome ? [each.check] : [])).join(', ');
  const left = named('not_possible');
  const isWell = findings.every(({ severity }) => severity === 'note');
  return [
    ...found,
    ...(found.length > 0 ? [''] : []),
    `looked at: ${named('done')}`,
    ...(left === '' ? [] : [`not possible to look at: ${left}`]),
    isWell && left === '' ? paint('green', 'Nothing is wrong.') : countsOf(findings),
  ];
}

function countsOf(findings: Diagnosis['findings']): string {
  const count = (severity: string) => findings.filter((finding) => finding.severity === severity).length;
  return `${count('error')} errors, ${count('warning')} warnings, ${count('note')} notes`;
}
