import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const run = promisify(execFile);

describe('a task that takes options', () => {
  it.each(['soak', 'drill', 'cluster', 'demo'])(
    '%s tells which where it is asked, and does nothing',
    async (task) => {
      const { stdout, stderr } = await run(process.execPath, [`dist/scripts/${task}/main.js`, '--help']);

      expect(stdout).toMatch(/^usage: npm run /);
      expect(stderr).toBe('');
    },
  );
});
