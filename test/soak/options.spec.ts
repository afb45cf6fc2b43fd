import { describe, expect, it } from '@jest/globals';
import { OptionsRefused, readOptions } from '../../scripts/soak/options.js';
import { argumentsOf } from '../../scripts/soak/report.js';

const read = (...argv: string[]) => readOptions(argv, () => 0.25);

describe('the command line of a soak', () => {
  it('has a default for everything, and takes a seed by chance', () => {
    expect(read()).toEqual({
      minutes: 2,
      seed: 250_000,
      rate: 60,
      bulk: 30,
      mix: 0,
      brokers: 30,
      replicas: 3,
      calm: 1,
      json: null,
      markdown: null,
      svg: null,
      keep: null,
      only: null,
      spares: false,
      holds: false,
      shrinks: false,
      plans: false,
    });
  });

  it('takes all that it knows', () => {
    const argv = [
      '--minutes',
      '0.5',
      '--seed',
      '7',
      '--calm',
      '3',
      '--only',
      '0,12',
      '--spare',
      '--hold',
      '--shrink',
      '--json',
      'out.json',
    ];

    expect(read(...argv)).toMatchObject({
      minutes: 0.5,
      seed: 7,
      calm: 3,
      only: [0, 12],
      spares: true,
      holds: true,
      shrinks: true,
      json: 'out.json',
    });
  });

  it('takes what a report says that strikes the same again', () => {
    const line = argumentsOf(read('--seed', '7', '--only', '1,4', '--spare', '--hold'));

    expect(read(...line.split(' '))).toMatchObject({ seed: 7, only: [1, 4], spares: true, holds: true });
  });

  it('takes what a search says that needs no fault', () => {
    const line = argumentsOf({ ...read('--seed', '7'), only: [] });

    expect(read(...line.split(' '))).toMatchObject({ seed: 7, only: [] });
  });

  it.each([
    ['--minutes', '0.4'],
    ['--minutes', '1441'],
    ['--minutes', ''],
    ['--minutes', 'x'],
    ['--seed', '-1'],
    ['--seed', '2147483648'],
    ['--seed', '1.5'],
    ['--rate', '0'],
    ['--rate', '5001'],
    ['--bulk', '-1'],
    ['--bulk', '5001'],
    ['--mix', '-1'],
    ['--mix', '1001'],
    ['--brokers', '3'],
    ['--brokers', '501'],
    ['--replicas', '2'],
    ['--replicas', '10'],
    ['--calm', '0'],
    ['--calm', '1001'],
    ['--only', '1,'],
    ['--only', 'a'],
    ['--nothing', '1'],
  ])('refuses %s %s', (name, value) => {
    expect(() => read(`${name}=${value}`)).toThrow(OptionsRefused);
  });
});
