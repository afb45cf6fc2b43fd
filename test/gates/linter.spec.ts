import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { run } from './support/program.js';

const SYNTAX = 'no-restricted-syntax';
const IMPORTS = '@typescript-eslint/no-restricted-imports';

type Fault = [claim: string, line: string, rule: string];

/** Forbidden wherever the module of the database is not. */
const CONNECTIONS: Fault[] = [
  ['the driver of the database', `import pg from 'pg';`, IMPORTS],
  ['a client of the driver by its name', `import { Client as Direct } from 'pg';`, IMPORTS],
  ['the driver, loaded later', `export const driver = import('pg');`, SYNTAX],
  ['a DataSource under another name', `import { DataSource as Other } from 'typeorm';`, SYNTAX],
  ['a second DataSource', `export const a = new DataSource({ type: 'postgres' });`, SYNTAX],
  [
    'a second DataSource of a namespace',
    `export const b = new orm.DataSource({ type: 'postgres' });`,
    SYNTAX,
  ],
  ['a pool', `export const c = new Pool();`, SYNTAX],
  ['a pool of the driver', `export const d = new pg.Pool();`, SYNTAX],
  ['a client of the driver', `export const e = new pg.Client();`, SYNTAX],
];

/** Forbidden everywhere. */
const ANYWHERE: Fault[] = [
  ['a forward reference', `import { forwardRef } from '@nestjs/common';`, SYNTAX],
  ['a forward reference of a namespace', `export const f = nest.forwardRef(() => pg);`, SYNTAX],
  ['injection into a property', `export class G { @Inject() g: object; }`, SYNTAX],
  ['injection through a setter', `export class H { @Inject() set h(_h: object) {} }`, SYNTAX],
];

const BARRELS: Fault[] = [
  ['everything of another file', `export * from './state.js';`, SYNTAX],
  ['a name of another file', `export { LANES } from './state.js';`, SYNTAX],
  ['a type of another file', `export type { Lane } from './state.js';`, SYNTAX],
];

const PROTOCOL: Fault[] = [
  'process.pid',
  'fetch',
  'setTimeout',
  'Date.now()',
  'performance.now()',
  'WebSocket',
].map((used, index) => [used, `export const p${index} = ${used};`, 'no-restricted-globals']);

const SOUND = `
import type pg from 'pg';
import type { Pool } from 'pg';
import { Inject } from '@nestjs/common';
import { DataSource } from 'typeorm';
export class Uses { constructor(@Inject() readonly given: DataSource, readonly pool: Pool, readonly c: pg.Client) {} }
`;

const PLACES: [file: string, fires: Fault[], passes: Fault[]][] = [
  ['src/hub/dispatch/life.ts', [...CONNECTIONS, ...ANYWHERE, ...BARRELS], PROTOCOL],
  ['src/cli/main.ts', [...CONNECTIONS, ...ANYWHERE, ...BARRELS], []],
  ['scripts/schema.ts', [...CONNECTIONS, ...ANYWHERE, ...BARRELS], []],
  ['src/hub/database/data-source.ts', [...ANYWHERE, ...BARRELS], CONNECTIONS],
  ['src/broker/main.ts', [...CONNECTIONS, ...ANYWHERE], BARRELS],
  ['src/broker/embedded.ts', [...CONNECTIONS, ...ANYWHERE], BARRELS],
  ['src/protocol/frame.ts', [...CONNECTIONS, ...ANYWHERE, ...BARRELS, ...PROTOCOL], []],
];
const SOUND_FILE = 'src/hub/dispatch/waits.ts';

const textOf = (faults: Fault[]) => faults.map(([, line]) => line).join('\n');

describe('the linter', () => {
  let found: Record<string, string[]>;

  beforeAll(async () => {
    const texts = {
      ...Object.fromEntries(PLACES.map(([file, fires, passes]) => [file, textOf([...fires, ...passes])])),
      [SOUND_FILE]: SOUND,
    };
    const { out } = await run(resolve('test/gates/support/lint.mjs'), [], { input: JSON.stringify(texts) });
    found = JSON.parse(out) as Record<string, string[]>;
  }, 180_000);

  it.each(
    PLACES.flatMap(([file, fires]) =>
      fires.map(([claim, , rule], index) => [file, claim, `${rule}:${index + 1}`] as const),
    ),
  )('fires in %s on %s', (file, _claim, fault) => {
    expect(found[file]).toContain(fault);
  });

  it.each(PLACES.map(([file, fires, passes]) => [file, fires.length, passes.length] as const))(
    'lets pass what belongs into %s',
    (file, firing, passing) => {
      const lines = new Set(Array.from({ length: passing }, (_, index) => firing + index + 1));

      const restricted = (found[file] ?? []).filter((fault) => fault.includes('no-restricted-'));

      expect(restricted.filter((fault) => lines.has(Number(fault.split(':')[1])))).toEqual([]);
    },
  );

  it('lets types of the driver and injection into a constructor pass', () => {
    expect(found[SOUND_FILE]?.filter((fault) => fault.includes('no-restricted-'))).toEqual([]);
  });
});
