// In Stryker's copy of the project: a JavaScript file beside each source, so that Node loads them as they are. Specs get
// their words from what is beside this file.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformSync } from '@swc/core';

const WORDS = pathToFileURL(resolve('test/mutation/words.mjs')).href;

for (const name of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
  if (!name.endsWith('.ts')) continue;
  const filename = join('src', name);
  const { code } = transformSync(readFileSync(filename, 'utf8'), { filename });
  writeFileSync(
    filename.replace(/ts$/, 'js'),
    code.replaceAll(/(['"])@jest\/globals\1/g, JSON.stringify(WORDS)),
  );
}
