/** Visits every world of a scope, the nearest first, so that what breaks a promise is told by the shortest way to it. */
import type { Has } from './hub.js';
import { isOver, PROGRESS, PROMISES } from './promises.js';
import { stepsFrom, type Step } from './steps.js';
import { beginning, type Scope, type World } from './world.js';

export type Explored = {
  scope: string;
  worlds: number;
  steps: number;
  seconds: number;
  /** Which promise breaks, and the steps that lead there. */
  broken: { promise: string; story: string[] } | undefined;
};

/** More than any scope has: one that grows without an end is a fault of the model. */
const WORLDS_MOST = 4_000_000;

type Seen = { worlds: World[]; parents: number[]; told: string[] };

export function explore(scope: Scope, has: Has): Explored {
  const startedAt = performance.now();
  const places = new Map<string, number>();
  const seen: Seen = { worlds: [], parents: [], told: [] };
  /** Each step as two places, from and to. */
  const edges: number[] = [];
  const visit = (world: World, parent: number, told: string): number => {
    const key = JSON.stringify(world);
    const known = places.get(key);
    if (known !== undefined) return known;
    const place = seen.worlds.length;
    if (place >= WORLDS_MOST) throw new Error(`the scope "${scope.name}" has no end`);
    places.set(key, place);
    seen.worlds.push(world);
    seen.parents.push(parent);
    seen.told.push(told);
    return place;
  };
  const done = (broken: Explored['broken']): Explored => ({
    scope: scope.name,
    worlds: seen.worlds.length,
    steps: edges.length / 2,
    seconds: (performance.now() - startedAt) / 1_000,
    broken,
  });

  visit(beginning(scope), -1, '');
  for (let place = 0; place < seen.worlds.length; place += 1) {
    const world = worldAt(seen, place);
    for (const step of stepsFrom(world, scope, has)) {
      const to = visit(step.world, place, step.told);
      edges.push(place, to);
      const promise = brokenBy(step, scope);
      if (promise !== undefined) return done({ promise, story: [...storyOf(seen, place), step.told] });
    }
  }
  const stuck = firstStuck(seen, edges);
  return done(stuck === undefined ? undefined : { promise: PROGRESS, story: storyOf(seen, stuck) });
}

function worldAt({ worlds }: Seen, place: number): World {
  const world = worlds[place];
  if (world === undefined) throw new Error('no such world');
  return world;
}

function brokenBy({ world, broken }: Step, scope: Scope): string | undefined {
  return broken ?? PROMISES.find(({ isKept }) => !isKept(world, scope))?.name;
}

/** The nearest world from which no way leads to one where all has ended; found by walking back from those. */
function firstStuck(seen: Seen, edges: readonly number[]): number | undefined {
  const count = seen.worlds.length;
  const { starts, froms } = backwards(edges, count);
  const canEnd = new Uint8Array(count);
  const queue = seen.worlds.flatMap((world, place) => (isOver(world) ? [place] : []));
  for (const place of queue) canEnd[place] = 1;
  for (let place = queue.pop(); place !== undefined; place = queue.pop()) {
    for (let at = starts[place] ?? 0; at < (starts[place + 1] ?? 0); at += 1) {
      const from = froms[at] ?? 0;
      if (canEnd[from] === 1) continue;
      canEnd[from] = 1;
      queue.push(from);
    }
  }
  const stuck = canEnd.indexOf(0);
  return stuck < 0 ? undefined : stuck;
}

/** For each world those that lead to it: `froms` from `starts[world]` to `starts[world + 1]`. */
function backwards(edges: readonly number[], count: number): { starts: Uint32Array; froms: Uint32Array } {
  const pairs = Array.from({ length: edges.length / 2 }, (_none, at) => at * 2);
  const toOf = (at: number): number => edges[at + 1] ?? 0;
  // Two places on: where the walk below is done, each has come to the end of its own, which is the start of the next.
  const starts = new Uint32Array(count + 2);
  const next = (place: number, by: number): number => {
    const before = starts[place] ?? 0;
    starts[place] = before + by;
    return before;
  };
  for (const at of pairs) next(toOf(at) + 2, 1);
  for (let place = 1; place < starts.length; place += 1) next(place, starts[place - 1] ?? 0);
  const froms = new Uint32Array(pairs.length);
  for (const at of pairs) froms[next(toOf(at) + 1, 1)] = edges[at] ?? 0;
  return { starts, froms };
}

function storyOf({ parents, told }: Seen, place: number): string[] {
  const story: string[] = [];
  for (let at = place; at > 0; at = parents[at] ?? 0) story.unshift(told[at] ?? '');
  return story;
}
