/**
 * README.md and values.schema.json of the chart, from the paragraphs of its values.yaml.
 *
 *     node dist/scripts/chart-docs.js            writes them
 *     node dist/scripts/chart-docs.js --check    exit code 1 where what is committed differs, a value is not explained, no
 *                                                template reads it, or a template reads one that is not there
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHART } from './chart/helm.js';
import { readmeOf, schemaOf } from './chart/pages.js';
import { readValues, strayValues } from './chart/values.js';
import { hold } from './committed.js';

const TEMPLATES = join(CHART, 'templates');

const { values, faults } = readValues(readFileSync(join(CHART, 'values.yaml'), 'utf8'));
const templates = new Map(
  readdirSync(TEMPLATES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path, 'utf8')] as const),
);
for (const fault of [...faults, ...strayValues(values, templates)]) {
  process.stderr.write(`${fault}\n`);
  process.exitCode = 1;
}
const files = new Map([
  [join(CHART, 'README.md'), readmeOf(values)],
  [join(CHART, 'values.schema.json'), schemaOf(values)],
]);
hold({ files, writtenBy: 'npm run chart:write' }, process.argv.slice(2));
