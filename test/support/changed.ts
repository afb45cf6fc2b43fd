/**
 * What is right but for a few places that chance has changed: unlike what is made of chance alone it comes as far as the readers
 * of single fields.
 */
import * as fc from 'fast-check';

/** Past every cap on a text, and on a list. */
const MANY_CHARACTERS = 5_000;
const MANY_ITEMS = 1_100;

const EDGES = [null, true, false, 0, -1, 1, 1.5, 0x7fff_ffff, 2 ** 31, 2 ** 53, 1e300] as const;
const WORDS = [
  '',
  'x',
  '0',
  'running',
  'retry',
  '__proto__',
  'toString',
  'a\0',
  '\ud800',
  '\u{1f600}',
] as const;
const TIMES = ['2026-01-01T00:00:00Z', '2026-02-30t25:00:00z', '0000-01-01 00:00:00.1+23:59'] as const;

const value = fc.oneof(
  fc.constantFrom<unknown>(...EDGES, ...WORDS, ...TIMES, [], {}, [null], [[]]),
  fc.string({ unit: 'binary' }),
  fc.uuid(),
  fc.jsonValue(),
);

type Change = { place: number; how: 'put' | 'left out' | 'doubled' | 'shouted'; value: unknown };

const change = fc.record({
  place: fc.nat(),
  how: fc.constantFrom<Change['how']>('put', 'put', 'left out', 'doubled', 'shouted'),
  value,
});

type Node = Record<string, unknown>;
type Place = { holder: Node; name: string };

/** A copy of one of the samples with one to three changes, as JSON gives it. */
export function changedOf<T extends object>(samples: readonly T[]): fc.Arbitrary<unknown> {
  const changes = fc.array(change, { minLength: 1, maxLength: 3 });
  return fc.tuple(fc.constantFrom(...samples), changes).map(([sample, each]) => {
    const root = { sample: structuredClone(sample) };
    for (const one of each) apply(one, placesIn(root.sample));
    return JSON.parse(JSON.stringify(root.sample)) as unknown;
  });
}

function placesIn(node: object): Place[] {
  const holder = node as Node;
  return Object.keys(holder).flatMap((name) => {
    const below = holder[name];
    const place = { holder, name };
    return typeof below === 'object' && below !== null ? [place, ...placesIn(below)] : [place];
  });
}

function apply({ place, how, value: put }: Change, places: readonly Place[]): void {
  const at = places[place % Math.max(1, places.length)];
  if (at === undefined) return;
  const { holder, name } = at;
  if (how === 'put') holder[name] = structuredClone(put);
  else if (how === 'left out') delete holder[name];
  else holder[name] = how === 'doubled' ? doubled(holder[name]) : shouted(holder[name]);
}

/** As much of the same as is too much. */
function doubled(given: unknown): unknown {
  if (typeof given === 'string') return given.padEnd(MANY_CHARACTERS, given === '' ? 'x' : given);
  if (typeof given === 'number') return given * 2 ** 33;
  if (Array.isArray(given)) return Array.from({ length: MANY_ITEMS }, () => given[0] as unknown);
  return given;
}

function shouted(given: unknown): unknown {
  return typeof given === 'string' ? given.toUpperCase() : [given];
}
