import type { DispatchDto, DispatchEnvelopeDto } from '../../hub/dispatch/dto/dispatch.dto.js';
import type { ProjectWhyDto } from '../../hub/dispatch/dto/project-why.dto.js';
import type { RedrivenDto } from '../../hub/dispatch/dto/redrive.dto.js';
import type { WhyDto } from '../../hub/dispatch/dto/why.dto.js';
import { EXIT, exitCodeOfState, type ExitCode } from '../exit-code.js';
import { age, away } from './age.js';
import { colourOf } from './colour.js';
import { printable } from './printable.js';
import type { Printer } from './printer.js';
import { facts } from './table.js';

/**
 * Tells what came of a command that somebody waited for.
 *
 * @param waitS how long was waited; 0 for somebody who only wanted it accepted
 * @returns the exit code that goes with it
 */
export function showOutcome(
  printer: Printer,
  answer: DispatchEnvelopeDto,
  subject: string,
  waitS: number,
): ExitCode {
  const { dispatch } = answer;
  printer.data(answer, () => outcomeLines(printer, dispatch, subject));
  return exitCodeAfter(printer, dispatch, waitS);
}

/** The exit code after so long a wait, and how to look again where it has not ended. */
export function exitCodeAfter(printer: Printer, { id, state }: DispatchDto, waitS: number): ExitCode {
  const exitCode = exitCodeOfState(state);
  if (exitCode !== EXIT.notEnded) return exitCode;
  printer.note(`It goes on; look again with: fairlead dispatches get ${id} --wait 60`);
  return waitS === 0 ? EXIT.ok : exitCode;
}

function outcomeLines({ paint }: Printer, dispatch: DispatchDto, subject: string): string[] {
  const { op, state, error, reason, id } = dispatch;
  const broker = dispatch.broker.name ?? dispatch.broker.id;
  const why = error === null ? reason : `${error.code}: ${error.message}`;
  return [
    printable(`${op} ${subject} on ${broker}: `) +
      paint(colourOf(state), state) +
      (why === null ? '' : printable(` (${why})`)),
    `${paint('dim', 'dispatch')} ${id}`,
  ];
}

/** How far it is, where its broker says so. */
export function progressText({ progress }: DispatchDto): string | undefined {
  if (progress === null || progress === undefined) return undefined;
  const { fraction, note } = progress;
  const part = fraction === null ? undefined : `${Math.floor(fraction * 100)} %`;
  return [part, note].filter((word) => word != null).join(', ') || undefined;
}

/** Everything about one dispatch. */
export function dispatchFacts({ paint }: Printer, dispatch: DispatchDto, nowMs: number): string[] {
  const { error, result, position, reason, endedAt } = dispatch;
  return facts(
    [
      ['id', dispatch.id],
      ['op', dispatch.op],
      ['state', dispatch.state],
      ['project', dispatch.project ?? undefined],
      ['broker', dispatch.broker.name ?? dispatch.broker.id],
      ['agent', dispatch.agent],
      ['lane', dispatch.lane],
      ['ordering key', dispatch.orderingKey],
      ['attempt', dispatch.attempt],
      ['failures', dispatch.failures === 0 ? undefined : dispatch.failures],
      ['contract', dispatch.contract],
      ['not before', dispatch.notBefore ?? undefined],
      ['cancel', dispatch.cancel?.outcome],
      ['does again', dispatch.redriveOf ?? undefined],
      ['age', age(dispatch.createdAt, nowMs)],
      ['deadline', endedAt === null ? away(dispatch.deadlineAt, nowMs) : undefined],
      ['ended', endedAt === null ? undefined : `${age(endedAt, nowMs)} ago`],
      ['before it', position ?? undefined],
      ['progress', progressText(dispatch)],
      ['reason', reason ?? undefined],
      ['result', result === null ? undefined : JSON.stringify(result)],
      ['error', error === null ? undefined : `${error.code}: ${error.message}`],
    ],
    paint,
  );
}

/** Cause, explanation and remedy first; then each fact with its age. */
export function whyLines({ paint }: Printer, why: WhyDto, nowMs: number): string[] {
  const { holder } = why;
  return facts(
    [
      ['state', why.state],
      ['cause', why.cause],
      ['because', why.explanation],
      ['unblocked by', why.unblocks],
      ['held by', holder === null ? 'no replica' : `${holder.name ?? holder.replica}, epoch ${holder.epoch}`],
      ['before it', why.position],
      ...why.facts.map((fact) => factLine(fact, nowMs)),
    ],
    paint,
  );
}

/** Whether a project takes commands for a broker. */
export function projectWhyLines({ paint }: Printer, why: ProjectWhyDto, nowMs: number): string[] {
  return facts(
    [
      ['cause', why.cause],
      ['because', why.explanation],
      ['unblocked by', why.unblocks],
      ...why.facts.map((fact) => factLine(fact, nowMs)),
    ],
    paint,
  );
}

function factLine({ name, value, at }: WhyDto['facts'][number], nowMs: number): [string, string] {
  const when = at === null ? '' : Date.parse(at) > nowMs ? away(at, nowMs) : `${age(at, nowMs)} ago`;
  return [name, [value, when].filter(Boolean).join(', ')];
}

export function redrivenLines({ paint }: Printer, { redriven, refused, next }: RedrivenDto): string[] {
  return [
    ...redriven.map(({ from, to }) => `${from} ${paint('dim', 'again as')} ${to}`),
    ...refused.map(({ id, code, detail }) => `${id} ${paint('red', code)}: ${printable(detail)}`),
    `${redriven.length} done again, ${refused.length} refused${next === null ? '' : `; more with --before ${next}`}`,
  ];
}
