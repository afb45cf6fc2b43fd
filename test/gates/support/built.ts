import { resolve } from 'node:path';

/** A file of the built project: what a user runs, and CI. */
export function built(path: string): string {
  return resolve(process.env.FAIRLEAD_TEST_BUILT ?? 'dist', path);
}
