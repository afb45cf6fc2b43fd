import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

const CRUISER = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const RULES = resolve('.dependency-cruiser.mjs');

/** Nothing of it is forbidden; each fault below adds one import to it. */
const SOUND = {
  'tsconfig.json': JSON.stringify({ compilerOptions: { module: 'nodenext', moduleResolution: 'nodenext' } }),
  'package.json': JSON.stringify({ type: 'module' }),
  'node_modules/typeorm/package.json': JSON.stringify({ name: 'typeorm', main: 'index.js' }),
  'node_modules/typeorm/index.js': '',
  'node_modules/@opentelemetry/sdk/package.json': JSON.stringify({
    name: '@opentelemetry/sdk',
    main: 'index.js',
  }),
  'node_modules/@opentelemetry/sdk/index.js': '',
  'node_modules/@nestjs/swagger/package.json': JSON.stringify({ name: '@nestjs/swagger', main: 'index.js' }),
  'node_modules/@nestjs/swagger/index.js': 'export const swagger = 1;',
  'src/hub/openapi.ts': `
    import type { swagger } from '@nestjs/swagger';
    export const described = async (): Promise<typeof swagger> => (await import('@nestjs/swagger')).swagger;`,
  'src/tracing/sdk.ts': `
    import type { Frame } from '../protocol/frame.js';
    import * as sdk from '@opentelemetry/sdk';
    export const tracer = (frame: Frame) => [sdk, frame];`,
  'migrations/1-CreateThings.ts': 'export const up = 1;',
  'src/protocol/frame.ts': 'export type Frame = string;',
  'src/broker/main.ts': `
    import type { Frame } from '../protocol/frame.js';
    import { tracer } from '../tracing/sdk.js';
    export const broker = (f: Frame) => tracer(f);`,
  'src/cli/main.ts': `
    import type { ThingDto } from '../hub/dispatch/dto/thing.dto.js';
    import { hub } from '../hub/main.js';
    import { verify } from '../hub/verify/main.js';
    import { broker } from '../broker/main.js';
    export const cli = (thing: ThingDto) => [thing, hub, verify, broker];`,
  'src/hub/verify/main.ts': `
    import { Checker } from '../proof/checker.js';
    import { Dispatches } from '../dispatch/dispatches.js';
    export const verify = [Checker, Dispatches];`,
  'src/hub/proof/checker.ts': `import { STATES } from '../dispatch/state.js'; export const Checker = STATES;`,
  'src/hub/dispatch/state.ts': 'export const STATES = [];',
  'src/hub/main.ts': `import { Dispatches } from './dispatch/dispatches.js'; export const hub = Dispatches;`,
  'src/hub/entities.ts': `import { Row } from './dispatch/dispatch.entity.js'; export const ENTITIES = [Row];`,
  'src/hub/software.ts': `export const SOFTWARE = '1';`,
  'src/hub/problems/code.ts': 'export const PROBLEMS = {};',
  'src/hub/database/migrations.ts': `import { up } from '../../../migrations/1-CreateThings.js'; export const ALL = [up];`,
  'src/hub/cluster/replica.ts': `
    import { ALL } from '../database/migrations.js';
    import { SOFTWARE } from '../software.js';
    export const Replica = [ALL, SOFTWARE];`,
  'src/hub/dispatch/dispatch.entity.ts': 'export class Row {}',
  'src/hub/dispatch/dispatch.repository.ts': 'export class Rows {}',
  'src/hub/dispatch/dto/thing.dto.ts': 'export class ThingDto {}',
  'src/hub/dispatch/dispatches.ts': `
    import { Replica } from '../cluster/replica.js';
    import { Rows } from './dispatch.repository.js';
    export const Dispatches = [Rows, Replica];`,
  'src/hub/agents/agents.ts': `
    import { Dispatches } from '../dispatch/dispatches.js';
    export const agents = Dispatches;`,
};

/** The modules of the hub, from the bottom to the top: whatever is drawn or not, no arrow goes up. */
const ORDER = [
  ...['config', 'lifecycle', 'problems', 'http', 'database', 'cluster', 'auth', 'registry'],
  ...[
    'heartbeat',
    'dispatch',
    'agents',
    'proof',
    'verify',
    'tracing',
    'health',
    'drain',
    'copying',
    'doctor',
  ],
];
const UPWARDS = ORDER.flatMap((lower, index) =>
  ORDER.slice(index + 1).map((upper) => [lower, upper] as const),
);

/** Arrows that would go down or sideways, and that the picture does not have. */
const NOT_DRAWN: (readonly [from: string, to: string])[] = [
  ['lifecycle', 'config'],
  ['http', 'config'],
  ['problems', 'lifecycle'],
  ['database', 'http'],
  ['heartbeat', 'auth'],
  ['dispatch', 'heartbeat'],
  ['proof', 'database'],
  ['verify', 'agents'],
  ['tracing', 'registry'],
  ['tracing', 'database'],
  ['health', 'verify'],
  ['drain', 'agents'],
  ['drain', 'heartbeat'],
  ['drain', 'verify'],
  ['drain', 'tracing'],
  ['copying', 'auth'],
  ['doctor', 'registry'],
];

/** One file for each arrow between two modules that must not be. */
const ARROWS = [...UPWARDS, ...NOT_DRAWN].map(([from, to]) => ({
  rule: `hub-${from}`,
  from,
  to,
  file: `src/hub/${from}/to-${to}.ts`,
  content: `import { at } from '../${to}/at.js'; export const to = at;`,
}));
const TARGETS = Object.fromEntries(
  ORDER.map((module) => [`src/hub/${module}/at.ts`, 'export const at = 1;']),
);

/** For each rule, a file that breaks it. */
const FAULTS: [rule: string, claim: string, file: string, content: string][] = [
  [
    'protocol-is-pure',
    'a module of Node in the protocol',
    'src/protocol/a.ts',
    `export * as fs from 'node:fs';`,
  ],
  [
    'protocol-is-pure',
    'the hub in the protocol',
    'src/protocol/b.ts',
    `import type { PROBLEMS } from '../hub/problems/code.js'; export type P = typeof PROBLEMS;`,
  ],
  ['proof-is-pure', 'a module of Node in the proof', 'src/hub/proof/s.ts', `export * as fs from 'node:fs';`],
  [
    'proof-is-pure',
    'a service in the proof',
    'src/hub/proof/t.ts',
    `export * from '../dispatch/dispatches.js';`,
  ],
  [
    'tracing-stands-alone',
    'the hub in the tracer, for a type alone',
    'src/tracing/v.ts',
    `import type { SOFTWARE } from '../hub/software.js'; export type S = typeof SOFTWARE;`,
  ],
  [
    'sdk-in-one-place',
    'the SDK of OpenTelemetry in the hub',
    'src/hub/w.ts',
    `export * from '@opentelemetry/sdk';`,
  ],
  [
    'sdk-in-one-place',
    'the SDK of OpenTelemetry in the broker',
    'src/broker/x.ts',
    `export * from '@opentelemetry/sdk';`,
  ],
  [
    'description-on-demand',
    'the description of the API in a class that every hub loads',
    'src/hub/http/z.ts',
    `export * from '@nestjs/swagger';`,
  ],
  [
    'conformance-uses-protocol',
    'the broker in what tries brokers',
    'src/conformance/y.ts',
    `export * from '../broker/main.js';`,
  ],
  ['cli-is-a-client', 'the tracer in the command line', 'src/cli/y.ts', `export * from '../tracing/sdk.js';`],
  [
    'cli-is-a-client',
    'the proof itself in the command line',
    'src/cli/u.ts',
    `export * from '../hub/proof/checker.js';`,
  ],
  ['protocol-is-pure', 'a framework in the protocol', 'src/protocol/s.ts', `export * from 'typeorm';`],
  [
    'protocol-is-pure',
    'the broker in the protocol',
    'src/protocol/t.ts',
    `export * from '../broker/main.js';`,
  ],
  ['hub-uses-protocol', 'the command line in the hub', 'src/hub/u.ts', `export * from '../cli/main.js';`],
  [
    'broker-uses-protocol',
    'the command line in the broker',
    'src/broker/v.ts',
    `export * from '../cli/main.js';`,
  ],
  [
    'cli-is-a-client',
    'a repository of the hub in the command line, for a type alone',
    'src/cli/w.ts',
    `import type { Rows } from '../hub/dispatch/dispatch.repository.js'; export type R = Rows;`,
  ],
  [
    'clients-need-no-server',
    'a database driver in the command line',
    'src/cli/x.ts',
    `export * from 'typeorm';`,
  ],
  [
    'services-alone-are-visible',
    'another module’s repository, for a type alone',
    'src/hub/agents/y.ts',
    `import type { Rows } from '../dispatch/dispatch.repository.js'; export type R = Rows;`,
  ],
  [
    'services-alone-are-visible',
    'another module’s entity',
    'src/hub/agents/z.ts',
    `export * from '../dispatch/dispatch.entity.js';`,
  ],
  [
    'hub-uses-protocol',
    'the broker in the hub',
    'src/hub/dispatch/c.ts',
    `export * from '../../broker/main.js';`,
  ],
  ['broker-uses-protocol', 'the hub in the broker', 'src/broker/d.ts', `export * from '../hub/software.js';`],
  [
    'cli-is-a-client',
    'a service of the hub in the command line',
    'src/cli/e.ts',
    `export * from '../hub/dispatch/dispatches.js';`,
  ],
  [
    'cli-is-a-client',
    'the protocol in the command line',
    'src/cli/f.ts',
    `export * from '../protocol/frame.js';`,
  ],
  [
    'cli-takes-types-of-the-api',
    'a class of the API in the command line',
    'src/cli/g.ts',
    `export * from '../hub/dispatch/dto/thing.dto.js';`,
  ],
  [
    'clients-need-no-server',
    'a database driver in the broker',
    'src/broker/h.ts',
    `export * from 'typeorm';`,
  ],
  ['hub-cluster', 'an arrow upwards', 'src/hub/cluster/i.ts', `export * from '../dispatch/dispatches.js';`],
  [
    'hub-dispatch',
    'an arrow upwards for a type alone',
    'src/hub/dispatch/j.ts',
    `import type { agents } from '../agents/agents.js'; export type A = typeof agents;`,
  ],
  [
    'hub-problems',
    'an arrow out of a leaf',
    'src/hub/problems/k.ts',
    `export * from '../cluster/replica.js';`,
  ],
  ['hub-database', 'the root in a module', 'src/hub/database/l.ts', `export * from '../entities.js';`],
  [
    'module-is-in-the-picture',
    'a module that nobody drew',
    'src/hub/extras/m.ts',
    `export * from '../software.js';`,
  ],
  [
    'services-alone-are-visible',
    'another module’s repository',
    'src/hub/agents/n.ts',
    `export * from '../dispatch/dispatch.repository.js';`,
  ],
  [
    'services-alone-are-visible',
    'another module’s entity at the root',
    'src/hub/o.ts',
    `export * from './dispatch/dispatch.entity.js';`,
  ],
  [
    'migrations-are-listed-once',
    'a migration run elsewhere',
    'src/hub/p.ts',
    `export * from '../../migrations/1-CreateThings.js';`,
  ],
  [
    'no-circle',
    'two files that load each other',
    'src/hub/dispatch/q.ts',
    `import { r } from './r.js'; export const q = () => r;`,
  ],
];
const OTHER_HALF = { 'src/hub/dispatch/r.ts': `import { q } from './q.js'; export const r = () => q;` };

type Report = { summary: { violations: { from: string; rule: { name: string } }[] } };

describe('the gate on arrows', () => {
  const trees: Tree[] = [];
  let found: Report['summary']['violations'];
  let exitCode: number | null;

  async function cruise(files: Record<string, string>, ...options: string[]) {
    const tree = new Tree(files);
    trees.push(tree);
    return run(CRUISER, ['src', '--config', RULES, ...options], { cwd: tree.path });
  }

  beforeAll(async () => {
    const tree = {
      ...SOUND,
      ...TARGETS,
      ...OTHER_HALF,
      ...Object.fromEntries(FAULTS.map(([, , file, content]) => [file, content])),
      ...Object.fromEntries(ARROWS.map(({ file, content }) => [file, content])),
    };
    const { code, out } = await cruise(tree);
    exitCode = code;
    const { out: report } = await cruise(tree, '--output-type', 'json');
    found = (JSON.parse(report) as Report).summary.violations;
    expect(out).toContain('dependency violations');
  });

  afterAll(() => trees.forEach((tree) => tree.remove()));

  it('passes a tree in which every arrow is drawn', async () => {
    const { code, out } = await cruise(SOUND);

    expect(out).toContain('no dependency violations found');
    expect(code).toBe(0);
  });

  it('ends with an exit code that stops the build', () => {
    expect(exitCode).toBeGreaterThan(0);
  });

  it.each(FAULTS)('%s fires on %s', (rule, _claim, file) => {
    expect(found.filter(({ from }) => from === file).map(({ rule: { name } }) => name)).toContain(rule);
  });

  it.each(ARROWS)('$rule fires on $to in $from', ({ rule, file }) => {
    expect(found.filter(({ from }) => from === file).map(({ rule: { name } }) => name)).toContain(rule);
  });

  it('knows each module of the hub', () => {
    const modules = readdirSync('src/hub', { withFileTypes: true }).filter((entry) => entry.isDirectory());

    expect([...ORDER].sort()).toEqual(modules.map(({ name }) => name).sort());
  });

  it('has a fault here for each of its rules', async () => {
    const { default: config } = (await import(RULES)) as { default: { forbidden: { name: string }[] } };
    const shown = new Set([...FAULTS.map(([rule]) => rule), ...ARROWS.map(({ rule }) => rule)]);

    const names = config.forbidden.map(({ name }) => name);

    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });
});
