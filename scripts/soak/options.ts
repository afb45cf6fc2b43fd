import { parseArgs } from 'node:util';

export type Options = {
  minutes: number;
  seed: number;
  rate: number;
  /** Commands a second that are given in batches, beside the others. */
  bulk: number;
  /** Commands a second that need not succeed, beside the others. */
  mix: number;
  brokers: number;
  replicas: number;
  /** How many times as long as usual all is well between two faults. */
  calm: number;
  json: string | null;
  markdown: string | null;
  svg: string | null;
  keep: string | null;
  /** Numbers of the only faults of the schedule that are to strike; null: all. */
  only: readonly number[] | null;
  /** From a third of the time on, leaves out the faults that put another replica in the place of one. */
  spares: boolean;
  /** Leaves out the faults that end the transaction that is kept open. */
  holds: boolean;
  shrinks: boolean;
  /** Prints the schedule, and does nothing. */
  plans: boolean;
};

export const USAGE =
  'usage: npm run soak -- [--minutes 2] [--seed N] [--rate 60] [--bulk 30] [--mix 0] [--brokers 30] [--replicas 3] [--calm 1] [--json FILE] ' +
  '[--markdown FILE] [--svg FILE] [--keep DIR] [--only 1,4,7] [--spare] [--hold] [--shrink] [--plan]';

/** As `--only` has it where no fault is to strike. */
export const NONE = 'none';

const CAPS = {
  minutes: { least: 0.5, most: 24 * 60 },
  seed: { least: 0, most: 2 ** 31 - 1 },
  rate: { least: 1, most: 5_000 },
  bulk: { least: 0, most: 5_000 },
  mix: { least: 0, most: 1_000 },
  brokers: { least: 4, most: 500 },
  replicas: { least: 3, most: 9 },
  calm: { least: 1, most: 1_000 },
} as const;

/** The command line cannot be meant. */
export class OptionsRefused extends Error {
  override readonly name = 'OptionsRefused';
}

/** @throws OptionsRefused */
export function readOptions(argv: readonly string[], chance: () => number): Options {
  const values = parsed(argv);
  const seed = values.seed ?? String(Math.floor(chance() * 1_000_000));
  return {
    minutes: numberOf('minutes', values.minutes, false),
    seed: numberOf('seed', seed),
    rate: numberOf('rate', values.rate),
    bulk: numberOf('bulk', values.bulk),
    mix: numberOf('mix', values.mix),
    brokers: numberOf('brokers', values.brokers),
    replicas: numberOf('replicas', values.replicas),
    calm: numberOf('calm', values.calm),
    json: values.json ?? null,
    markdown: values.markdown ?? null,
    svg: values.svg ?? null,
    keep: values.keep ?? null,
    only: values.only === undefined ? null : numbersOf(values.only),
    spares: values.spare,
    holds: values.hold,
    shrinks: values.shrink,
    plans: values.plan,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        minutes: { type: 'string', default: '2' },
        seed: { type: 'string' },
        rate: { type: 'string', default: '60' },
        bulk: { type: 'string', default: '30' },
        mix: { type: 'string', default: '0' },
        brokers: { type: 'string', default: '30' },
        replicas: { type: 'string', default: '3' },
        calm: { type: 'string', default: '1' },
        json: { type: 'string' },
        markdown: { type: 'string' },
        svg: { type: 'string' },
        keep: { type: 'string' },
        only: { type: 'string' },
        spare: { type: 'boolean', default: false },
        hold: { type: 'boolean', default: false },
        shrink: { type: 'boolean', default: false },
        plan: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new OptionsRefused(error instanceof Error ? error.message : String(error));
  }
}

function numberOf(name: keyof typeof CAPS, text: string, isWhole = true): number {
  const { least, most } = CAPS[name];
  const number = text.trim() === '' ? NaN : Number(text);
  if (number >= least && number <= most && (!isWhole || Number.isInteger(number))) return number;
  throw new OptionsRefused(`--${name} must be a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`);
}

function numbersOf(text: string): number[] {
  if (text === NONE) return [];
  if (!/^\d{1,6}(,\d{1,6})*$/.test(text))
    throw new OptionsRefused(`--only must be numbers of faults with commas between, or ${NONE}`);
  return text.split(',').map(Number);
}
