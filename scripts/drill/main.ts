/**
 * `npm run drill -- <what>`: a hub and canary brokers of its own, commands at an even rate, a fault, and the proof.
 *
 *   roll      every replica is replaced, one after another
 *   kill      a replica is killed
 *
 *   --replicas <n> --brokers <n> --rate <commands a second>
 *   --json    prints the figures as one JSON object on the last line of standard output
 *
 * The exit code is 0 only where nothing was lost, duplicated or reordered, and, where nothing was broken, nothing refused.
 */
import { parseArgs } from 'node:util';
import { Screen } from '../demo/screen.js';
import { kill, roll, runDrill, type Drill } from './drill.js';

const SOON = { FAIRLEAD_DRAIN_LINGER_S: '2', FAIRLEAD_DRAIN_DEADLINE_S: '30' };
const DRILLS: readonly Drill[] = [
  { name: 'roll', act: roll, env: SOON, mayRefuse: false, gapMs: 250 },
  { name: 'kill', act: kill, env: SOON, mayRefuse: true, gapMs: 12_000 },
];
const USAGE = `usage: npm run drill -- ${DRILLS.map(({ name }) => name).join('|')} [--replicas 3] [--brokers 50] [--rate 500] [--json]`;

const { values, positionals } = read();
const drill = DRILLS.find(({ name }) => name === positionals[0]);
const options = {
  replicas: numberOf(values.replicas, 2, 9),
  brokers: numberOf(values.brokers, 1, 500),
  rate: numberOf(values.rate, 1, 5_000),
};
if (drill === undefined || positionals.length !== 1) refuse('what is to be drilled?');

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
        brokers: { type: 'string', default: '50' },
        rate: { type: 'string', default: '500' },
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
