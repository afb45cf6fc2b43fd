/**
 * The dashboards of the chart, for Grafana. Nothing is written or passed where a query names what no hub exports.
 *
 *     node dist/scripts/dashboards.js            writes them
 *     node dist/scripts/dashboards.js --check    exit code 1 where what is committed differs
 */
import { strangersIn } from './alerts/names.js';
import { hold } from './committed.js';
import { dashboardJson, DASHBOARDS, queriesOf } from './dashboards/dashboards.js';
import { CATALOGUE } from './metrics/catalogue.js';

const FOLDER = 'helm/fairlead/dashboards';

const faults = queriesOf().flatMap(({ where, query }) =>
  strangersIn(query, CATALOGUE).map((fault) => `${where}: ${fault}`),
);
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;

const files = Object.keys(DASHBOARDS).map((uid): [string, string] => [
  `${FOLDER}/${uid}.json`,
  dashboardJson(uid),
]);
hold({ folder: FOLDER, files: new Map(files), writtenBy: 'npm run dashboards:write' }, process.argv.slice(2));
