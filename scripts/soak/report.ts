/** What a soak came to, for people: as Markdown. */
import { cpus } from 'node:os';
import { NONE } from './options.js';
import { FAULT_KINDS, lineOf, type Fault, type FaultKind } from './schedule.js';
import type { Trend } from './slope.js';
import type { Outcome, Promised } from './soak.js';
import { toldOf, type Struck } from './struck.js';

type Settings = Pick<
  Outcome,
  'minutes' | 'seed' | 'rate' | 'bulk' | 'mix' | 'brokers' | 'replicas' | 'calm' | 'only' | 'spares' | 'holds'
>;

/** The command line that strikes the same again. */
export function argumentsOf(settings: Settings): string {
  const { minutes, seed, rate, bulk, mix, brokers, replicas, calm, only, spares, holds } = settings;
  const named = Object.entries({ minutes, seed, rate, bulk, mix, brokers, replicas, calm });
  const some = only === null ? [] : [`--only ${only.join(',') || NONE}`];
  const flags = [...(spares ? ['--spare'] : []), ...(holds ? ['--hold'] : [])];
  return [...named.map(([name, value]) => `--${name} ${value}`), ...some, ...flags].join(' ');
}

export function reportOf(outcome: Outcome, schedule: readonly Fault[], struck: readonly Struck[]): string {
  const { seed, minutes, rate, bulk, mix, brokers, replicas, commands, faults, growth } = outcome;
  const rows = (pairs: readonly (readonly [string, string | number])[]) =>
    pairs.map(([name, value]) => `| ${name} | ${value} |`);
  const kinds = (Object.keys(FAULT_KINDS) as FaultKind[]).filter(
    (kind) => outcome.faultsByKind[kind] !== undefined,
  );
  const ms = ({ p50, p90, p99, p999, max }: Outcome['acceptMs']) =>
    `${p50} / ${p90} / ${p99} / ${p999} / ${max}`;
  return [
    `# A soak of ${minutes} minutes with the seed ${seed}: ${titleOf(outcome)}`,
    '',
    `${replicas} replicas, ${brokers} brokers, ${rate} commands a second, ${bulk} in batches and ${mix} that need not succeed; ${commands} commands and ${faults} faults; ` +
      `${cpus().length} processors, Node ${process.versions.node}. The same schedule again:`,
    '',
    '```sh',
    `npm run soak -- ${argumentsOf(outcome)}`,
    '```',
    '',
    '| what | found |',
    '| --- | --- |',
    ...rows([
      ['accepted', outcome.accepted],
      ['ended', outcome.ended],
      ['effects at brokers', outcome.effects],
      ['lost', outcome.lost],
      ['duplicated', outcome.duplicated],
      ['reordered', outcome.reordered],
      ['untrue answers', outcome.untrue],
      ['given up by clients', outcome.givenUp],
      ['irregular trails', outcome.irregular],
      ['endings that say that nobody knows', outcome.unknown],
      ['of them at brokers that had lost nothing', outcome.unfounded],
      ['endings that a command of its kind must not have', outcome.unserved],
      ['given up, expired and overtaken, of those that could be', mixedOf(outcome.mixed)],
      ['endings that who waited for them was never told', outcome.untold],
      ['calls without an answer, by what cut them', countsOf(outcome.silences)],
      ['of them cut by nothing that is known', outcome.unexplained],
      ['due to accepted, p50 / p90 / p99 / p99.9 / max, ms', ms(outcome.acceptMs)],
      ['due to ended, p50 / p90 / p99 / p99.9 / max, ms', ms(outcome.endMs)],
      ['endings that came after their clients had stopped asking', outcome.unheard],
      ['faults that found nothing to strike', outcome.missed],
      ['faults that came too late to strike', outcome.leftOut],
      ['deaths of replicas noticed', promise(outcome.deathsNoticed)],
      ['silent LISTEN healed', promise(outcome.listenHealed)],
      ['silent links let go of at both ends', promise(outcome.silencesNoticed)],
      [
        'the transaction that is kept open',
        `begun ${outcome.pinned.times} times, open for ${outcome.pinned.longestMs} ms at most, and for ${outcome.pinned.allMs} ms in all`,
      ],
      ['what a replica keeps in memory, in the last half, MiB a minute', trend(growth.replicaKeptMiBPerMin)],
      ['what it holds of the system, MiB a minute', trend(growth.replicaMemoryMiBPerMin)],
      ['its open files and sockets, a minute', trend(growth.replicaSocketsPerMin)],
      ['what a replica grew by at the least: MiB kept, MiB held and files a minute', surely(growth.sure)],
      ['rows of live commands, a minute', growth.liveRowsPerMin],
      ['table of live commands, MiB a minute', growth.liveTableMiBPerMin],
      ['dead tuples in it, a minute', growth.deadTuplesPerMin],
      ['whole database, MiB a minute', growth.databaseMiBPerMin],
    ]),
    '',
    ...table(
      '## What each table grew by in a minute of the last half',
      ['table', 'rows', 'dead tuples', 'MiB', 'MiB in the end'],
      growth.tables.map(({ name, rowsPerMin, deadPerMin, mibPerMin, mib }) => [
        name,
        rowsPerMin,
        deadPerMin,
        mibPerMin,
        mib,
      ]),
    ),
    ...table(
      '## What each replica grew by in a minute of the last half',
      ['replica', 'seen for, min', 'MiB kept', 'MiB of code', 'MiB held of the system', 'open files'],
      growth.replicas.map(({ name, forMin, keptMiB, compiledMiB, memoryMiB, files: open }) => [
        name,
        forMin,
        trend(keptMiB),
        trend(compiledMiB),
        trend(memoryMiB),
        trend(open),
      ]),
    ),
    '## What went wrong on purpose',
    '',
    '| fault | times | what it is |',
    '| --- | --- | --- |',
    ...kinds.map(
      (kind) => `| \`${kind}\` | ${outcome.faultsByKind[kind] ?? 0} | ${FAULT_KINDS[kind].what} |`,
    ),
    '',
    ...list('## What was found', outcome.findings),
    ...list(
      '## Left without an ending',
      outcome.left.map((each) => JSON.stringify(each)),
    ),
    ...list('## Processes that ended by themselves', outcome.crashes),
    ...list('## Faults that could not be done', outcome.failedFaults),
    ...list(
      '## What clients were told beside acceptances, each repeated until it was taken',
      Object.entries(outcome.refusals).map(([kind, count]) => `${count} x ${kind}`),
    ),
    '## The schedule, and what came of it',
    '',
    '```text',
    ...schedule.map((fault) => {
      const one = struck.find(({ number }) => number === fault.number);
      const came = one === undefined ? 'left out' : `at ${(one.atMs / 1000).toFixed(1)} s: ${toldOf(one)}`;
      return `${lineOf(fault)}  ${came}`;
    }),
    '```',
    '',
  ].join('\n');
}

type Titled = Pick<Outcome, 'ok' | 'failures' | 'deathsNoticed' | 'listenHealed' | 'silencesNoticed'>;

/** What a run came to, in a few words: one that is clean by its exit code may have been late with what is promised within a time. */
export function titleOf({ ok, failures, deathsNoticed, listenHealed, silencesNoticed }: Titled): string {
  if (!ok) return `NOT CLEAN (${failures.join(', ')})`;
  const within = { 'a death': deathsNoticed, 'a LISTEN': listenHealed, 'a lost link': silencesNoticed };
  const late = Object.entries(within).filter(([, { isKept }]) => !isKept);
  return late.length === 0
    ? 'all promises kept'
    : `clean, and late with ${late.map(([what]) => what).join(', ')}`;
}

function mixedOf(mixed: Outcome['mixed']): string {
  const told = Object.entries(mixed).map(([kind, { chances, met }]) => `${met} of ${chances} ${kind}`);
  return told.length === 0 ? 'none' : told.join(', ');
}

function countsOf(counts: Readonly<Record<string, number>>): string {
  const told = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return told.length === 0 ? 'none' : told.join(', ');
}

function list(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, '', ...lines.map((line) => `- ${line.replaceAll('\n', ' ')}`), ''];
}

function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [title, '', line(head), line(head.map(() => '---')), ...rows.map(line), ''];
}

function trend(found: Trend | null): string {
  if (found === null) return 'none lived for long enough';
  const { slope, error } = found;
  if (error === null) return `${slope}, of which too little was seen to tell`;
  const isFlat = slope <= error;
  return `${slope} ± ${error}${isFlat ? ', which cannot be told from none' : ''}`;
}

function surely(sure: Outcome['growth']['sure']): string {
  const least = Object.values(sure);
  if (least.every((each) => each === null)) return 'none was seen for ten minutes';
  return least.map((each) => each ?? 'not known').join(', ');
}

function promise({ judged, unjudged, maxMs, never, withinMs, isKept }: Promised): string {
  if (judged === 0) return `none could be judged, of ${unjudged}`;
  const longest = maxMs === null ? 'none came' : `${maxMs} ms at most`;
  const missing = never > 0 ? `, ${never} never` : '';
  return `${longest}${missing}, of ${judged} (${unjudged} not judged); ${isKept ? 'within' : 'NOT within'} ${withinMs} ms`;
}
