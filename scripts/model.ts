/**
 * `npm run model`: explores, for small numbers of commands, replicas and faults, everything that can happen to commands
 * between their acceptance and their ending, on the transition function that production uses. Each promise must hold in every
 * world that can be reached; then each fence is taken out in turn, and a promise must break.
 *
 *     node dist/scripts/model.js                   exit code 1 where a promise breaks, or a fence is not missed
 *     node dist/scripts/model.js --large           larger scopes too; takes minutes
 *     node dist/scripts/model.js --story <fence>   how a promise breaks without this fence, step by step
 *     node dist/scripts/model.js --json            one JSON document instead
 */
import { parseArgs } from 'node:util';
import { isColoured, painter } from '../src/cli/output/colour.js';
import { table } from '../src/cli/output/table.js';
import { explore, type Explored } from './model/explore.js';
import { ALL_FENCES, FENCES, type Fence } from './model/fences.js';
import { BOUND, IN_TIME, NO_MORE, ORDER, PROGRESS, PROMISES } from './model/promises.js';
import { LARGE, SMALL } from './model/scopes.js';
import type { Scope } from './model/world.js';

type Missed = { fence: Fence; without: Explored | undefined };

const { values } = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    story: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
process.exitCode = values.story === undefined ? all(values.large ? LARGE : SMALL) : tell(values.story);

function all(scopes: readonly Scope[]): number {
  const explored = scopes.map((scope) => {
    const outcome = explore(scope, () => true);
    note(
      `${outcome.worlds.toLocaleString('en')} worlds of "${scope.name}" in ${outcome.seconds.toFixed(1)} s`,
    );
    return outcome;
  });
  const missed = ALL_FENCES.map((fence) => {
    const without = withoutFence(fence);
    note(`without "${fence}": ${without?.broken?.promise ?? 'nothing breaks'}`);
    return { fence, without };
  });
  const isKept = explored.every(({ broken }) => broken === undefined);
  const isWhole = missed.every(({ without }) => without !== undefined);
  if (values.json) process.stdout.write(`${JSON.stringify(documentOf(explored, missed))}\n`);
  else process.stdout.write(`${textOf(explored, missed).join('\n')}\n`);
  return isKept && isWhole ? 0 : 1;
}

/** @returns undefined where nothing breaks */
function withoutFence(fence: Fence): Explored | undefined {
  const scope = SMALL.find(({ name }) => name === FENCES[fence].scope);
  if (scope === undefined) throw new Error(`no scope is named "${FENCES[fence].scope}"`);
  const outcome = explore(scope, (other) => other !== fence);
  return outcome.broken === undefined ? undefined : outcome;
}

function tell(name: string): number {
  const fence = ALL_FENCES.find((each) => each === name);
  if (fence === undefined) {
    process.stderr.write(`no fence is named "${name}"; there are: ${ALL_FENCES.join(', ')}\n`);
    return 2;
  }
  const outcome = withoutFence(fence);
  if (outcome === undefined) return 1;
  process.stdout.write(`${storyLines(`Without "${fence}": ${FENCES[fence].fault}.`, outcome).join('\n')}\n`);
  return 0;
}

function storyLines(title: string, { scope, broken }: Explored): string[] {
  const steps = broken?.story.map((step, place) => `  ${String(place + 1).padStart(2)}. ${step}`) ?? [];
  return [title, ...steps, `  Broken: ${broken?.promise} (scope "${scope}").`];
}

function textOf(explored: readonly Explored[], missed: readonly Missed[]): string[] {
  const paint = painter(isColoured(process.stdout, process.env));
  const stories = explored.flatMap((each) =>
    each.broken === undefined ? [] : storyLines('A promise is broken:', each),
  );
  return [
    ...table(
      explored,
      [
        { title: 'scope', of: ({ scope }) => scope },
        { title: 'worlds', of: ({ worlds }) => worlds.toLocaleString('en') },
        { title: 'steps', of: ({ steps }) => steps.toLocaleString('en') },
        {
          title: 'promises',
          of: ({ broken }) => (broken === undefined ? 'kept' : `BROKEN: ${broken.promise}`),
        },
      ],
      paint,
    ),
    '',
    `Promises: ${promiseNames().join(', ')}.`,
    '',
    ...table(
      missed,
      [
        { title: 'without the fence', of: ({ fence }) => fence },
        { title: 'breaks', of: ({ without }) => without?.broken?.promise ?? 'NOTHING' },
        { title: 'after', of: ({ without }) => `${without?.broken?.story.length ?? 0} steps` },
        { title: 'in scope', of: ({ without }) => without?.scope ?? '' },
      ],
      paint,
    ),
    ...stories,
  ];
}

function documentOf(explored: readonly Explored[], missed: readonly Missed[]): object {
  return {
    worlds: explored.reduce((sum, { worlds }) => sum + worlds, 0),
    promises: promiseNames(),
    scopes: explored,
    planted: missed.map(({ fence, without }) => ({
      fence,
      found: without !== undefined,
      promise: without?.broken?.promise ?? null,
      scope: without?.scope ?? null,
      story: without?.broken?.story ?? [],
    })),
  };
}

function promiseNames(): string[] {
  return [...PROMISES.map(({ name }) => name), ORDER, NO_MORE, BOUND, IN_TIME, PROGRESS];
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
