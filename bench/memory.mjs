import process from 'node:process';
import { setTimeout as rest } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** What this process holds once its garbage is collected, in bytes. */
export async function memory() {
  for (let turn = 0; turn < 3; turn += 1) {
    collect();
    await rest(100);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}
