// The notes of a release: its section of the changelog. Refuses a tag that the package, the chart and the changelog do not all have.
//
//     node scripts/release.mjs notes v1.2.3    exit code 1 where one of them has another version
import { readFileSync } from 'node:fs';

const [task, tag = ''] = process.argv.slice(2);
if (task !== 'notes' || !/^v\d+\.\d+\.\d+(-[\w.]+)?$/.test(tag)) {
  console.error('usage: node scripts/release.mjs notes v<version>');
  process.exit(2);
}
const version = tag.slice(1);
const chart = readFileSync('helm/fairlead/Chart.yaml', 'utf8');
const heading = `## [${version}]`;
const [, rest] = readFileSync('CHANGELOG.md', 'utf8').split(`\n${heading}`);
const faults = [
  JSON.parse(readFileSync('package.json', 'utf8')).version === version || 'package.json',
  chart.includes(`\nversion: ${version}\n`) || 'the version of Chart.yaml',
  chart.includes(`\nappVersion: ${version}\n`) || 'the appVersion of Chart.yaml',
  rest !== undefined || 'the heading of CHANGELOG.md',
].filter((fault) => fault !== true);
for (const fault of faults) console.error(`${fault} is not ${version}`);
if (rest === undefined || faults.length > 0) process.exit(1);
console.log(
  rest
    .slice(rest.indexOf('\n') + 1)
    .split(/\n## \[/)[0]
    .trim(),
);
