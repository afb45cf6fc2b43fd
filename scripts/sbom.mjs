// What a release brings with it (CycloneDX): npm's own list, made from the lock file, without what only its makers need.
//
//     node scripts/sbom.mjs >fairlead.cdx.json
//
// npm would leave those out by itself (`--omit dev`), and some that are needed with them: its list says of each which it is.
import { execFileSync } from 'node:child_process';

const DEVELOPMENT = 'cdx:npm:package:development';
const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
const list = JSON.parse(execFileSync('npm', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }));

const isForMakers = ({ properties = [] }) =>
  properties.some(({ name, value }) => name === DEVELOPMENT && value === 'true');
const left = new Set(list.components.filter(isForMakers).map((component) => component['bom-ref']));
const components = list.components.filter((component) => !isForMakers(component));
const dependencies = list.dependencies
  .filter(({ ref }) => !left.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => !left.has(each)) }));
process.stdout.write(`${JSON.stringify({ ...list, components, dependencies }, null, 2)}\n`);
