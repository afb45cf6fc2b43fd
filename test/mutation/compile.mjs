// In Stryker's copy of the project: a JavaScript file beside each source, so that Node loads them as they are. Specs get
// their words from what is beside this file; one that needs more of Jest than these stays out.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformSync } from '@swc/core';

const MORE_WORDS =
  /import \{[^}]*\b(jest|beforeAll|beforeEach|afterAll|afterEach)\b[^}]*\} from '@jest\/globals'/;
const WORDS = pathToFileURL(resolve('test/mutation/words.mjs')).href;

const sources = ['src', 'test/support'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
);
for (const filename of sources) {
  if (!filename.endsWith('.ts')) continue;
  const source = readFileSync(filename, 'utf8');
  if (MORE_WORDS.test(source)) continue;
  const { code } = transformSync(source, { filename });
  writeFileSync(
    filename.replace(/ts$/, 'js'),
    code.replaceAll(/(['"])@jest\/globals\1/g, JSON.stringify(WORDS)),
  );
}
