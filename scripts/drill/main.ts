/**
 * `npm run drill -- <what>`: a hub and canary brokers of its own, commands at an even rate, a fault, and the proof.
 *
 *   roll        every replica is replaced, one after another
 *   kill        a replica is killed; the brokers of every second process hold a second link ready
 *   cut         a replica is cut off from the database, and comes back
 *   links       the ways of all brokers to the hub are cut at once
 *   listen      the sessions by which replicas are woken are ended
 *   database    the database crashes, and is started again
 *   pause       a replica's process is stopped, and goes on after it was taken for dead
 *   admissions  a thousand times a broker comes in at the door of a replica while it begins to drain
 *   versions    every replica is replaced by one of another build, and that by one of this again; needs --other
 *   all         each of them but the last, one after another, on one hub
 *
 *   --quick   with fewer brokers and commands, in less than four minutes
 *   --replicas <n> --brokers <n> --rate <commands a second>
 *   --other <folder>   the dist folder of another build, which every second process of brokers is of as well
 *   --json    prints the figures as one JSON object on the last line of standard output
 *
 * The exit code is 0 only where nothing was lost, duplicated, reordered or left, no broker was without an owner for longer than
 * the act allows, and, where nothing was broken, nothing refused.
 */
import { parseArgs } from 'node:util';
import { Screen } from '../demo/screen.js';
import { tellUsage } from '../support/usage.js';
import { ACTS, VERSIONS } from './acts.js';
import { runDrill, type Drill } from './drill.js';

const SOON = { FAIRLEAD_DRAIN_LINGER_S: '2', FAIRLEAD_DRAIN_DEADLINE_S: '30' };
const DRILLS: readonly Drill[] = [
  ...Object.entries(ACTS).map(([name, act]): Drill => ({ name, acts: { [name]: act }, env: SOON })),
  { name: 'versions', acts: { versions: VERSIONS }, env: SOON },
  { name: 'all', acts: ACTS, env: SOON },
];
const USAGE = `usage: npm run drill -- ${DRILLS.map(({ name }) => name).join('|')} [--quick] [--replicas 3] [--brokers 50] [--rate 500] [--other FOLDER] [--json]`;

tellUsage(USAGE);
const { values, positionals } = read();
const drill = DRILLS.find(({ name }) => name === positionals[0]);
const options = {
  replicas: numberOf(values.replicas, 2, 9),
  brokers: numberOf(values.brokers ?? (values.quick ? '12' : '50'), 1, 500),
  rate: numberOf(values.rate ?? (values.quick ? '60' : '500'), 1, 5_000),
  pauseMs: values.quick ? 8_000 : 15_000,
  // Even the shorter is longer than a replica may act without the database, so that it asks the others whether it is alone.
  awayMs: values.quick ? 5_000 : 30_000,
  ...(values.other === undefined ? {} : { other: values.other }),
};
if (drill === undefined || positionals.length !== 1) refuse('what is to be drilled?');
if (drill.name === 'versions' && options.other === undefined) refuse('versions needs --other');

const screen = new Screen(values.json ? process.stderr : process.stdout);
screen.title(`The drill ${drill.name}`);
const outcome = await runDrill(drill, options, (line) => screen.note(line));
screen.title(outcome.ok ? 'Proven.' : 'Not proven.');
screen.note(JSON.stringify(outcome, null, 2));
if (values.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
process.exitCode = outcome.ok ? 0 : 1;

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        replicas: { type: 'string', default: '3' },
        brokers: { type: 'string' },
        rate: { type: 'string' },
        quick: { type: 'boolean', default: false },
        other: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function numberOf(text: string, least: number, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  return refuse(`${text} must be a whole number from ${least} to ${most}`);
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n${USAGE}\n`);
  process.exit(2);
}
