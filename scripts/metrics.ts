/**
 * docs/metrics.md: every metric with its type, labels, unit and meaning. What a running hub exports is compared with
 * the catalogue in both directions first: nothing is written or passed where they differ.
 *
 *     node dist/scripts/metrics.js            writes it
 *     node dist/scripts/metrics.js --check    exit code 1 where what is committed differs
 */
import 'reflect-metadata';
import { hold } from './committed.js';
import { CATALOGUE } from './metrics/catalogue.js';
import { metricsPage } from './metrics/page.js';
import { scrapeRunningHub } from './metrics/running-hub.js';
import { withScratchDatabase } from './scratch-server.js';

const page = metricsPage(CATALOGUE, await withScratchDatabase(scrapeRunningHub));
hold(
  { files: new Map([['docs/metrics.md', page]]), writtenBy: 'npm run metrics:write' },
  process.argv.slice(2),
);
