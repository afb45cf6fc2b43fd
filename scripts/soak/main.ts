/**
 * `npm run soak`: real replicas, brokers and clients for as long as is asked, faults of every kind at times that a seed
 * decides, and the proof of what became of each command.
 *
 *   --minutes <n> --seed <n>          for how long, and what goes wrong when; without a seed chance takes one, and says which
 *   --rate <commands a second> --bulk <more of them, in batches> --brokers <n> --replicas <n>
 *   --mix <n>                         commands a second beside them that fail, are given up, expire, wait, or are overtaken
 *   --calm <n>                        rests n times as long between faults, for high rates and long lives
 *   --json FILE --markdown FILE --svg FILE    what it came to, for programs and for people
 *   --keep DIR                        keeps trails, logs and evidence; where it is not clean they are kept anyway
 *   --only 1,4,7                      strikes these faults of the schedule alone, or none of them (none)
 *   --spare                           replaces no replica from a third of the time on, so that it is seen whether they grow
 *   --hold                            does not end the database, so that one transaction is open from the first command to the last
 *   --shrink                          where it is not clean, looks for fewer faults that are enough to fail alike
 *   --plan                            prints the schedule, and does nothing
 *
 * The exit code is 0 only where nothing was lost, duplicated, reordered, untrue, irregular or unserved, nor given up by its
 * client, every ending told to who waited for it, no ending unknown and no call without an answer but for a cause that is known, no death or deafness unnoticed for ever, no
 * process ended by itself, every fault could be done, no replica grew, the transaction that is kept open was so, what could be judged was, and what was asked and struck is most of what was due; 1 where it is not so, and 2 where the command line cannot be meant.
 */
import { writeFileSync } from 'node:fs';
import { Program } from '../support/program.js';
import { tellUsage } from '../support/usage.js';
import { SoakDatabase } from './database.js';
import { soughtOf, type Failure } from './failures.js';
import { Leavings } from './leavings.js';
import { OptionsRefused, readOptions, USAGE, type Options } from './options.js';
import { argumentsOf, reportOf } from './report.js';
import { holding, lineOf, scheduleOf, sparing, type Fault } from './schedule.js';
import { shrink } from './shrink.js';
import { soak, type Run } from './soak.js';
import { timeline } from './timeline.js';

const TRIES_MOST = 16;

const begunAt = performance.now();
const say = (line: string) => {
  const at = ((performance.now() - begunAt) / 1_000).toFixed(1).padStart(7);
  process.stderr.write(`${at} s  ${line}\n`);
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    Program.killAll();
    void SoakDatabase.stopAll().finally(() => process.exit(1));
  });
}

// What a link of a fault has left open holds nothing up.
process.exit(await main());

async function main(): Promise<number> {
  tellUsage(USAGE);
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2), Math.random);
  } catch (error) {
    if (!(error instanceof OptionsRefused)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    return 2;
  }
  const { seed, minutes, calm } = options;
  const forMs = minutes * 60_000;
  const whole = scheduleOf(seed, forMs, calm);
  const { only } = options;
  const numbers = new Set(whole.map(({ number }) => number));
  const unknown = (only ?? []).filter((number) => !numbers.has(number));
  if (unknown.length > 0) {
    process.stderr.write(
      `--only names faults that the schedule does not have: ${unknown.join(',')} of ${whole.length}\n`,
    );
    return 2;
  }
  const schedule = leftOf(options, whole).filter(({ number }) => only === null || only.includes(number));
  say(`the seed is ${seed}`);
  for (const fault of schedule) process.stderr.write(`${lineOf(fault)}\n`);
  if (options.plans) return 0;
  const run = await soaked(options, schedule);
  const { outcome, struck, calls } = run;
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(outcome, null, 2)}\n`);
  if (options.markdown !== null) writeFileSync(options.markdown, reportOf(outcome, schedule, struck));
  if (options.svg !== null) {
    writeFileSync(options.svg, timeline(`Seed ${seed}, ${minutes} minutes`, calls, struck, forMs));
  }
  tell(run);
  if (!outcome.ok && options.shrinks) await shrunk(options, schedule, outcome.failures);
  return outcome.ok ? 0 : 1;
}

/** What of the schedule is not left out, to spare replicas or to hold a transaction open. */
function leftOf({ spares, holds, minutes }: Options, whole: readonly Fault[]): readonly Fault[] {
  const spared = spares ? sparing(whole, minutes * 60_000) : whole;
  return holds ? holding(spared) : spared;
}

async function soaked(options: Options, schedule: readonly Fault[]): Promise<Run> {
  const run = await soak({ ...options, schedule }, say);
  const { outcome } = run;
  if (outcome.artifacts !== null) {
    writeFileSync(`${outcome.artifacts}/report.md`, reportOf(outcome, schedule, run.struck));
    writeFileSync(
      `${outcome.artifacts}/timeline.svg`,
      timeline(`Seed ${options.seed}`, run.calls, run.struck, options.minutes * 60_000),
    );
  }
  return run;
}

function tell({ outcome }: Run): void {
  const {
    ok,
    failures,
    commands,
    faults,
    givenUp,
    lost,
    duplicated,
    reordered,
    untrue,
    irregular,
    unknown,
    unfounded,
    unserved,
    untold,
    unexplained,
    silences,
    crashes,
    failedFaults,
    artifacts,
  } = outcome;
  say(
    `${commands} commands, ${faults} faults: ${lost} lost, ${duplicated} duplicated, ${reordered} reordered, ` +
      `${untrue} untrue, ${irregular} irregular, ${unserved} unserved, ${untold} untold, ${givenUp} given up; ` +
      `${unknown} endings unknown, ${unfounded} of them without a loss at the broker; ` +
      `${unexplained} calls without an answer that nothing explains`,
  );
  const causes = Object.entries(silences).map(([cause, count]) => `${count} ${cause}`);
  say(`calls without an answer: ${causes.join(', ') || 'none'}`);
  say(
    `deaths noticed within ${outcome.deathsNoticed.maxMs ?? '-'} ms, LISTEN healed within ${outcome.listenHealed.maxMs ?? '-'} ms, ` +
      `silent links let go of within ${outcome.silencesNoticed.maxMs ?? '-'} ms; ` +
      `due to accepted p50 ${outcome.acceptMs.p50} ms, p99 ${outcome.acceptMs.p99} ms`,
  );
  for (const fault of failedFaults) say(`could not be done: ${firstLineOf(fault)}`);
  for (const crash of crashes) say(firstLineOf(crash));
  for (const finding of outcome.findings.slice(0, 10)) say(finding);
  if (artifacts !== null) say(`all that was written down is in ${artifacts}`);
  say(ok ? 'clean' : `NOT clean: ${failures.join(', ')}`);
}

/** What a process said last may be many lines: they are in the report. */
function firstLineOf(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** Fewer faults are enough where they fail alike: a machine that was slow for once is no reason to follow another trail. */
async function shrunk(
  options: Options,
  schedule: readonly Fault[],
  failures: readonly Failure[],
): Promise<void> {
  const sought = soughtOf(failures);
  say(`fewer faults that come to ${sought.join(' or ')} are looked for, in ${TRIES_MOST} runs at most`);
  const leavings = new Leavings();
  const fails = async (faults: readonly Fault[]): Promise<boolean> => {
    const only = faults.map(({ number }) => number);
    const run = await soaked({ ...options, only }, faults).catch((error: unknown) => {
      // It says nothing of these faults, and is no reason to lose what was found so far.
      say(`it could not be run: ${firstLineOf(String(error))}`);
    });
    if (run === undefined) return false;
    const { outcome } = run;
    const alike = outcome.failures.filter((failure) => sought.includes(failure));
    // Where a folder was named, all stays in it, as was asked.
    if (options.keep === null) leavings.sift(outcome.artifacts, alike.length > 0);
    say(
      `${alike.length === 0 ? 'not so' : `so too (${alike.join(', ')})`} with ${only.length}: ${only.join(',') || 'none'}`,
    );
    return alike.length > 0;
  };
  const least = await shrink(schedule, fails, TRIES_MOST);
  if (least.length === 0) say('no fault is needed: it is so without any');
  say(`enough: npm run soak -- ${argumentsOf({ ...options, only: least.map(({ number }) => number) })}`);
}
