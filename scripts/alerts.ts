/**
 * The alerts of the chart, a file each, and the index of their runbooks. Nothing is written or passed where an
 * expression names what no hub exports, or where an alert and a runbook miss each other.
 *
 *     node dist/scripts/alerts.js            writes them
 *     node dist/scripts/alerts.js --check    exit code 1 where what is committed differs
 */
import { readdirSync } from 'node:fs';
import { ALERTS, alertFile, runbookIndex } from './alerts/alerts.js';
import { strangersIn } from './alerts/names.js';
import { runbookFaults } from './alerts/runbooks.js';
import { hold } from './committed.js';
import { CATALOGUE } from './metrics/catalogue.js';

const RUNBOOKS = 'docs/runbooks';
const INDEX = `${RUNBOOKS}/README.md`;

const faults = [
  ...Object.entries(ALERTS).flatMap(([name, { expr }]) =>
    strangersIn(expr, CATALOGUE).map((fault) => `${name}: ${fault}`),
  ),
  ...runbookFaults(Object.keys(ALERTS), RUNBOOKS, readdirSync(RUNBOOKS)),
];
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;

const files = Object.entries(ALERTS).map(([name, alert]): [string, string] => [
  `helm/fairlead/alerts/${name}.yaml`,
  alertFile(name, alert),
]);
const writtenBy = 'npm run alerts:write';
hold({ folder: 'helm/fairlead/alerts', files: new Map(files), writtenBy }, process.argv.slice(2));
hold({ files: new Map([[INDEX, runbookIndex(ALERTS)]]), writtenBy }, process.argv.slice(2));
