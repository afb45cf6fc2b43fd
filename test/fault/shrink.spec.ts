/**
 * A soak that finds a real fault, from its first run to the command that repeats it with as little as is needed: a build in which
 * brokers that are started again have forgotten what they had begun, and had told nobody of yet.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Outcome as Soaked } from '../../scripts/soak/soak.js';
import { scheduleOf } from '../../scripts/soak/schedule.js';
import { built } from '../gates/support/built.js';
import { run } from '../gates/support/program.js';
import { memoryFolder } from '../support/memory-folder.js';

const JOURNAL = 'src/broker/journal/journal.js';
const REMEMBERS = 'standings.set(key, standingOf(value));';
const [SEED, MINUTES] = [1812, 0.5];
/**
 * Of the schedule of that seed: brokers are killed while the way of a replica to the database stands still, so that what they had done
 * is on record at them alone. The others do little.
 */
const STRUCK = [2, 4, 5, 6, 7];
const KILL = 7;
/** A run takes about a minute, and one that is not clean longer; up to sixteen are tried, mostly less than ten. */
const WITHIN_MS = 1_500_000;
const RUN = ['--minutes', String(MINUTES), '--seed', String(SEED), '--rate', '60', '--bulk', '120'];

describe('a soak of a build whose brokers forget', () => {
  let folder: string;

  beforeAll(() => {
    folder = memoryFolder('fairlead-forgetful-');
    cpSync(built('.'), join(folder, 'dist'), { recursive: true });
    cpSync(resolve('package.json'), join(folder, 'package.json'));
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    const journal = join(folder, 'dist', JOURNAL);
    const text = readFileSync(journal, 'utf8');
    expect(text.split(REMEMBERS)).toHaveLength(2);
    writeFileSync(journal, text.replace(REMEMBERS, ';'));
    mkdirSync(join(folder, 'kept'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const soak = (...args: string[]) => run(join(folder, 'dist/scripts/soak/main.js'), args, { cwd: folder });

  it(
    'is not clean, and is told how to repeat it with fewer faults, the killed brokers among them',
    async () => {
      expect(scheduleOf(SEED, MINUTES * 60_000).find(({ number }) => number === KILL)?.kind).toBe(
        'broker_kill',
      );
      const json = join(folder, 'soak.json');
      const only = ['--only', STRUCK.join(',')];

      const { code, err } = await soak(
        ...RUN,
        ...only,
        '--shrink',
        '--json',
        json,
        '--keep',
        join(folder, 'kept'),
      );

      const found = JSON.parse(readFileSync(json, 'utf8')) as Soaked;
      expect(code).toBe(1);
      expect(found).toMatchObject({ ok: false, seed: SEED, only: STRUCK });
      expect(found.duplicated + found.unfounded).toBeGreaterThan(0);
      expect(err).toMatch(/NOT clean: .*(duplicated|unfounded)/);

      const [, command = ''] = /enough: npm run soak -- (.*)$/m.exec(err) ?? [];
      const { err: plan } = await soak(...command.split(' '), '--plan');
      const left = [...plan.matchAll(/^ *(\d+) +[\d.]+ s /gm)].map(([, number]) => Number(number));
      expect(left).toContain(KILL);
      expect(left.length).toBeLessThan(STRUCK.length);
    },
    WITHIN_MS,
  );
});
