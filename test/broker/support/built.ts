import { resolve } from 'node:path';
import type { Programs } from '../../../src/broker/programs.js';

/** Where the built project is; the programs that a broker starts are run from there, as in production. */
const BUILT = process.env.FAIRLEAD_TEST_BUILT ?? 'dist';

export const PROGRAMS: Programs = {
  shim: resolve(BUILT, 'src/broker/runtime/shim.js'),
  check: resolve(BUILT, 'src/broker/journal/check.js'),
};

/** Of the built project, for a process of its own to import. */
export function builtModule(path: string): string {
  return resolve(BUILT, path);
}
