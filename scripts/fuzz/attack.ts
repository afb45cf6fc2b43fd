import { connect } from 'node:net';
import { Dice } from './dice.js';
import { thrownBy, type Thrown } from './requests.js';

export type Attack = {
  readonly seed: number;
  /** Stops when so many were sent, or the time is over. */
  readonly cases: number;
  readonly untilMs: number;
  /** The ports of a hub's listeners, on this machine. */
  readonly ports: readonly [number, ...number[]];
};

export type Outcome = {
  sent: number;
  /** How many were answered with what status; 0 for those that were not. */
  statuses: Map<number, number>;
  /** What must not be, with the case that did it. */
  faults: string[];
};

const AT_ONCE = 32;
const OWED_WITHIN_MS = 10_000;
const BROKEN_WITHIN_MS = 250;
const FAULTS_MOST = 20;

/** Sends requests by chance, and looks at what comes back: an answer below 500 to each that is whole. */
export async function attack({ seed, cases, untilMs, ports }: Attack): Promise<Outcome> {
  const outcome: Outcome = { sent: 0, statuses: new Map(), faults: [] };
  const one = async () => {
    while (outcome.sent < cases && performance.now() < untilMs && outcome.faults.length < FAULTS_MOST) {
      const number = (outcome.sent += 1);
      // Each case by itself, so that one can be thrown again alone.
      const dice = new Dice(seed * 1_000_003 + number);
      const [port, thrown] = [dice.pick(ports), thrownBy(dice)];
      const status = await statusOf(port, thrown);
      outcome.statuses.set(status, (outcome.statuses.get(status) ?? 0) + 1);
      const isOwed = thrown.isWhole && status === 0;
      if (status < 500 && !isOwed) continue;
      const begin = thrown.bytes.subarray(0, 200).toString('latin1');
      outcome.faults.push(
        `case ${number} of seed ${seed}: ${status || 'no answer'} to ${JSON.stringify(begin)}`,
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return outcome;
}

/** @returns 0 where the connection ends without an answer, or none comes in time */
function statusOf(port: number, { bytes, isWhole }: Thrown): Promise<number> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1');
    const timer = setTimeout(() => socket.destroy(), isWhole ? OWED_WITHIN_MS : BROKEN_WITHIN_MS);
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => {
      if (answer.length < 64) answer += chunk.toString('latin1');
      if (/^HTTP\/1\.1 \d{3}/.test(answer)) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0));
    });
  });
}
