import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const PRELOAD = pathToFileURL('dist/scripts/support/clock-offset.js').href;
const OFFSET_MS = 600_000;
const PROGRAM = `
  console.log(JSON.stringify({
    now: Date.now(),
    made: new Date().getTime(),
    text: Date.parse(Date()),
    given: new Date(2026, 0, 1).getFullYear(),
    parsed: Date.parse('2026-01-01T00:00:00Z'),
    isDate: new Date() instanceof Date,
    monotonic: performance.now() < 60_000,
    told: process.env.FAULT_CLOCK_OFFSET_MS ?? null,
  }))`;

describe('a clock that is wrong', () => {
  it('is off by as much as is told, and leaves what is given and what is measured as it is', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', PRELOAD, '-e', PROGRAM], {
      env: { FAULT_CLOCK_OFFSET_MS: String(OFFSET_MS) },
    });
    const seen = JSON.parse(stdout);

    for (const ms of [seen.now, seen.made, seen.text]) {
      // The text has whole seconds.
      expect(Math.abs(ms - Date.now() - OFFSET_MS)).toBeLessThan(60_000);
    }
    expect(seen).toMatchObject({
      given: 2026,
      parsed: Date.UTC(2026, 0, 1),
      isDate: true,
      monotonic: true,
      told: null,
    });
  });
});
