/** Breaks a hub of the user's own on purpose, under load, and proves what came of it. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, type Command } from 'commander';
import type { ReplicaDto, ReplicaPageDto } from '../../hub/drain/dto/replica.dto.js';
import type { RolloutDto } from '../../hub/drain/dto/rollout.dto.js';
import type { StayDto } from '../../hub/registry/dto/stay.dto.js';
import type { Client } from '../api/client.js';
import { rolloutsSince, whenJudged } from '../api/rollouts.js';
import { readTrails } from '../api/trails.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-code.js';
import { Fault } from '../fault.js';
import { count, durationS, upTo } from '../input/duration.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples } from '../options.js';
import type { Paint } from '../output/colour.js';
import { rolloutLines } from '../output/rollout.js';
import { facts } from '../output/table.js';
import type { Canaries } from '../surroundings.js';
import { untilSignal } from '../until-signal.js';
import { translated } from './broker.js';
import { DrillLoad, type DrillAnswer } from './drill-load.js';
import { withSeats } from './seats.js';

const ACTS = ['roll', 'kill', 'cut', 'listen', 'database'] as const;
type Act = (typeof ACTS)[number];

type DrillOptions = {
  act?: string;
  brokers: number;
  rate: number;
  settle: number;
  wait: number;
  joinToken?: string;
};

type Gaps = { p50: number; p99: number; max: number };
type Found = {
  lost: number;
  duplicated: number;
  reordered: number;
  irregular: number;
  unknown: number;
  commands: number;
  effects: number;
};
type DrillReport = Found & {
  drill: Act;
  ok: boolean;
  brokers: number;
  ratePerS: number;
  accepted: number;
  refused: number;
  givenUp: number;
  refusals: Record<string, number>;
  moves: number;
  gapMs: Gaps;
  /** Of the drains that began meanwhile. */
  rollouts: RolloutDto[];
};

const BROKERS_MOST = 100;
const RATE_MOST = 1_000;
const SECONDS_MOST = 3_600;
const WARM_MS = 2_000;
const LOOK_MS = 500;
const SETTLED_MS = 60_000;
const JUDGED_MS = 60_000;
const TOKEN_S = 3_600;

const WHAT_IT_DOES = [
  '',
  'Canary brokers of this process join the hub, and are given commands at an even rate. Then the act goes on: `roll` drains',
  'every replica, one after another, and waits each time until another has taken its place, unless --act does that. What the',
  'others break cannot be reached from here: --act is the command that does it, given to `sh -c`. What clients were told, what',
  'was done at the canaries and the trails are held against each other, and drains that began meanwhile print their reports.',
  'At Ctrl-C the act ends, and what there is is judged. The exit code is 1 where anything was lost, duplicated, reordered,',
  'irregular or given up, where the act failed or was cut short or a replica was not replaced, and for `roll` also where a',
  'call was refused or a report is not clean.',
].join('\n');

export function addDrill(program: Command, cli: Cli): void {
  asksHub(program.command('drill'))
    .description('break a hub of your own under load, and prove that nobody noticed')
    .addArgument(new Argument('<what>', 'what is broken').choices(ACTS))
    .option('--act <command>', 'the shell command that breaks it')
    .option('--brokers <n>', `canary brokers, 1 to ${BROKERS_MOST}`, upTo(BROKERS_MOST, count), 6)
    .option('--rate <n>', `commands a second, 1 to ${RATE_MOST}`, upTo(RATE_MOST, count), 20)
    .option(
      '--settle <duration>',
      'load goes on so long after the act, at most 1h',
      upTo(SECONDS_MOST, durationS),
      10,
    )
    .option(
      '--wait <duration>',
      'how long a drained replica may take to be replaced, at most 1h',
      upTo(SECONDS_MOST, durationS),
      120,
    )
    .option('--join-token <token>', 'with which the canaries join; one is made where it is left out')
    .addHelpText('after', WHAT_IT_DOES)
    .addHelpText(
      'after',
      examples(
        'drill roll',
        "drill roll --act 'kubectl rollout restart deploy/hub && kubectl rollout status deploy/hub'",
        "drill kill --act 'kubectl delete pod hub-0 --grace-period=0 --force' --json",
      ),
    )
    .action(
      cli.action<DrillOptions, [Act]>(async (run, act) => {
        if (act !== 'roll' && run.options.act === undefined) throw needsAct(act);
        run.hide(run.options.joinToken);
        const hub = await run.hub();
        const report = await seated(run, hub, act);
        run.printer.data(report, () => linesOf(report, run.printer.paint));
        return report.ok ? EXIT.ok : EXIT.failed;
      }),
    );
}

async function seated(run: Invocation<DrillOptions>, hub: Client, act: Act): Promise<DrillReport> {
  const { joinToken, brokers } = run.options;
  let report: DrillReport | undefined;
  const work = (token: string): Promise<void> =>
    untilSignal(['SIGINT', 'SIGTERM'], async (signal) => {
      report = await drilled(run, hub, act, token, signal);
    });
  const seats = { seats: brokers, expiresInS: TOKEN_S, labels: { 'fairlead.drill': 'canary' } };
  await (joinToken === undefined ? withSeats(run, hub, seats, work) : work(joinToken));
  if (report === undefined) throw new Error('the drill ended without a report');
  return report;
}

async function drilled(
  run: Invocation<DrillOptions>,
  hub: Client,
  act: Act,
  token: string,
  signal: AbortSignal,
): Promise<DrillReport> {
  const { options, surroundings } = run;
  const { clock } = surroundings;
  const say = (line: string): void => void surroundings.stderr.write(`${line}\n`);
  const { startCanaries } = await surroundings.programs.broker();
  const name = `canary-${randomUUID().slice(0, 8)}`;
  const { urls } = hub.target;
  const canaries = await translated(() => startCanaries({ urls, token, count: options.brokers, name }));
  try {
    const load = new DrillLoad(hub, clock, canaries.brokerIds, canaries.op);
    load.start(options.rate);
    say(`${options.brokers} canaries are given ${options.rate} commands a second`);
    await clock.pause(WARM_MS, signal);
    const sinceMs = hub.hubNowMs;
    const isDone =
      options.act === undefined ? await roll(run, hub, say, signal) : await shell(options.act, say, signal);
    await clock.pause(options.settle * 1_000, signal);
    await load.stop();
    await load.settled(SETTLED_MS);
    const found = await judged(run, hub, canaries, load.answers);
    const gaps = await gapsOf(hub, canaries.brokerIds, sinceMs);
    const rollouts = await reportsSince(run, hub, sinceMs);
    const { givenUp, refusals, accepted } = load;
    const faults = found.lost + found.duplicated + found.reordered + found.irregular + givenUp;
    const isNoticed = refusals.length > 0 || rollouts.some(({ report }) => report?.clean !== true);
    return {
      drill: act,
      ok: isDone && !signal.aborted && faults === 0 && (act !== 'roll' || !isNoticed),
      brokers: options.brokers,
      ratePerS: options.rate,
      accepted,
      refused: refusals.length,
      givenUp,
      ...found,
      refusals: countOf(refusals),
      moves: gaps.length,
      gapMs: spread(gaps),
      rollouts,
    };
  } finally {
    await canaries.leave();
  }
}

/** @returns false where a replica that was drained was not replaced in time: the rest is left in peace */
async function roll(
  { options, surroundings: { clock } }: Invocation<DrillOptions>,
  hub: Client,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const active = async (): Promise<ReplicaDto[]> => {
    const { items } = await hub.ask<ReplicaPageDto>({ method: 'GET', path: '/replicas' });
    return items.filter(({ state }) => state === 'active');
  };
  const before = await active();
  for (const { id, name } of before) {
    if (signal.aborted) return false;
    await hub.ask({ method: 'POST', path: `/replicas/${id}/drain`, body: {} });
    const untilMs = clock.nowMs() + options.wait * 1_000;
    for (;;) {
      // The only replica of a hub leaves nobody to ask until it is back.
      const now = await active().catch(() => []);
      if (now.length >= before.length && now.every((replica) => replica.id !== id)) break;
      if (signal.aborted) return false;
      if (clock.nowMs() > untilMs) {
        say(`nothing took the place of ${name} within ${options.wait} s: the roll ends here`);
        return false;
      }
      await clock.pause(LOOK_MS, signal);
    }
    say(`${name} was drained, and another has taken its place`);
  }
  return true;
}

async function shell(command: string, say: (line: string) => void, signal: AbortSignal): Promise<boolean> {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  signal.addEventListener('abort', () => child.kill(), { once: true });
  for (const output of [child.stdout, child.stderr])
    output.on('data', (text: Buffer) => say(text.toString().trimEnd()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) say(`the act ended with ${String(code)}`);
  return code === 0;
}

/** Holds what was told, what was done and what is on record against each other, for each canary by itself. */
async function judged(
  { surroundings }: Invocation<DrillOptions>,
  hub: Client,
  { brokerIds, op, effects }: Canaries,
  answers: ReadonlyMap<string, readonly DrillAnswer[]>,
): Promise<Found> {
  const { verify, faultsOf } = await surroundings.programs.verify();
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-drill-'));
  const sum = { lost: 0, duplicated: 0, reordered: 0, irregular: 0, unknown: 0, commands: 0, effects: 0 };
  try {
    for (const brokerId of brokerIds) {
      const told = answers.get(brokerId) ?? [];
      const idOf = new Map(told.map(({ idempotencyKey, dispatchId }) => [idempotencyKey, dispatchId]));
      const done = effects
        .filter((effect) => effect.brokerId === brokerId)
        .map(({ note, at }) => ({ dispatchId: idOf.get(note) ?? note, brokerId, op, at }));
      const verdict = await verify(given(readTrails(hub, { broker: brokerId })), {
        isSettled: true,
        witnesses: [await lines(folder, 'effects', done)],
        answers: await lines(folder, 'answers', told),
      });
      const faults = faultsOf(verdict);
      for (const kind of ['lost', 'duplicated', 'reordered', 'irregular'] as const) sum[kind] += faults[kind];
      sum.unknown += verdict.unknown;
      sum.commands += verdict.dispatches;
      sum.effects += done.length;
    }
    return sum;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* given(items: AsyncIterable<{ id: string }>) {
  for await (const value of items) yield { value, where: `the dispatch ${value.id}` };
}

async function lines(folder: string, name: string, items: readonly object[]): Promise<string> {
  const path = join(folder, `${name}.ndjson`);
  await writeFile(path, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  return path;
}

/** Milliseconds without an owner before each stay that began since, 0 where one began before the last had ended. */
async function gapsOf(hub: Client, brokerIds: readonly string[], sinceMs: number): Promise<number[]> {
  const gaps: number[] = [];
  for (const id of brokerIds) {
    const path = `/brokers/${id}/history`;
    const { items } = await hub.ask<{ items: StayDto[] }>({ method: 'GET', path, query: { limit: 100 } });
    for (const [place, { from }] of items.entries()) {
      const before = items[place + 1];
      if (before === undefined || Date.parse(from) < sinceMs) continue;
      gaps.push(before.to === null ? 0 : Math.max(0, Date.parse(from) - Date.parse(before.to)));
    }
  }
  return gaps;
}

/** While the canaries are there: a report waits for the brokers to be back. */
async function reportsSince(
  { surroundings: { clock } }: Invocation<DrillOptions>,
  hub: Client,
  sinceMs: number,
): Promise<RolloutDto[]> {
  return whenJudged(() => rolloutsSince(hub, sinceMs), clock, { withinMs: JUDGED_MS });
}

function spread(values: readonly number[]): Gaps {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.ceil(sorted.length * part) - 1] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function countOf(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function needsAct(act: Act): Fault {
  const title = `What is to be done for \`${act}\` must be given`;
  const remedy = `Give the command that does it: fairlead drill ${act} --act '...'.`;
  return new Fault({ title, code: 'act_missing', remedy }, EXIT.usage);
}

function linesOf(report: DrillReport, paint: Paint): string[] {
  const { gapMs, refusals, rollouts } = report;
  const met = Object.entries(refusals).map(([code, times]) => `${code} ${times}`);
  return [
    ...rollouts.flatMap((rollout) => [...rolloutLines(rollout, paint), '']),
    ...facts(
      [
        ['accepted', report.accepted],
        ['refused', [report.refused, ...met].join(', ')],
        ['given up', report.givenUp],
        ['done at canaries', report.effects],
        ['lost', report.lost],
        ['duplicated', report.duplicated],
        ['reordered', report.reordered],
        ['irregular', report.irregular],
        ['outcome unknown', report.unknown],
        ['moves', report.moves],
        ['gap ms', `p50 ${gapMs.p50}, p99 ${gapMs.p99}, max ${gapMs.max}`],
      ],
      paint,
    ),
    '',
    report.ok ? paint('green', 'Proven.') : paint('red', 'Not proven.'),
  ];
}
