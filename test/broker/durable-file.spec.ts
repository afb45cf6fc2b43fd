import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { memoryFolder } from '../support/memory-folder.js';
import { builtModule } from './support/built.js';

describe('a small file that is written durably', () => {
  let folder: string;

  beforeEach(() => {
    folder = memoryFolder('fairlead-durable-');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** By a process whose files have no room. */
  const writtenWithoutRoom = (act: 'writeDurably' | 'claimDurably') => {
    const script = `
      import { ${act} } from ${JSON.stringify(builtModule('src/broker/durable-file.js'))};
      await ${act}(${JSON.stringify(join(folder, 'exit.json'))}, '{}').catch(({ code }) => console.log(code));`;
    const node = [process.execPath, '--input-type=module', '--eval', script];
    return execFileSync('/bin/sh', ['-c', 'ulimit -f 0; exec "$@"', 'sh', ...node], {
      encoding: 'utf8',
    }).trim();
  };

  it.each(['writeDurably', 'claimDurably'] as const)(
    'leaves nothing behind where there is no room for it: %s',
    (act) => {
      expect(writtenWithoutRoom(act)).toBe('EFBIG');

      expect(readdirSync(folder)).toEqual([]);
    },
  );
});
