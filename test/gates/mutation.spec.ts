import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SPEC_FOLDERS = /'(src\/[a-z/]+)'/g;
const IMPORTED = /from '(\.[^']+)'/g;

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const all = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].flatMap(([, found]) => found ?? []);

/** The line of `scope.mjs` that names the folders whose specs are run. */
const [folders = ''] = /^export const SPECS = .*$/m.exec(textOf('test/mutation/scope.mjs')) ?? [];
/** The line of `compile.mjs` that names what is compiled for them. */
const [compiled = ''] = /^const sources = .*$/m.exec(textOf('test/mutation/compile.mjs')) ?? [];

describe('mutation testing', () => {
  it('compiles all that its specs import', () => {
    const specs = all(folders, SPEC_FOLDERS).flatMap((folder) =>
      readdirSync(join(ROOT, folder))
        .filter((name) => name.endsWith('.spec.ts'))
        .map((name) => `${folder}/${name}`),
    );
    const known = all(compiled, /'([a-z/]+)'/g);

    const strange = specs.flatMap((spec) =>
      all(textOf(spec), IMPORTED)
        .map((path) => relative(ROOT, join(ROOT, dirname(spec), path)))
        .filter((path) => !known.some((folder) => path.startsWith(`${folder}/`))),
    );

    expect(specs.length).toBeGreaterThan(20);
    expect(known).toEqual(['src', 'test/support']);
    expect(strange).toEqual([]);
  });
});
