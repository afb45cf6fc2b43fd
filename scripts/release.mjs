// The notes of a release: its section of the changelog. Refuses a tag that the package, the chart and the changelog do not all have,
// and one in a repository that is not the package's home: npm refuses the provenance of that, when all else is out already.
//
//     node scripts/release.mjs notes v1.2.3    exit code 1 where one of them has another version
import { readFileSync } from 'node:fs';

const [task, tag = ''] = process.argv.slice(2);
if (task !== 'notes' || !/^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(tag)) {
  console.error('usage: node scripts/release.mjs notes v<version>');
  process.exit(2);
}
const version = tag.slice(1);
const { GITHUB_REPOSITORY: home } = process.env;
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const chart = readFileSync('helm/fairlead/Chart.yaml', 'utf8');
const heading = `## [${version}]`;
const [, rest] = readFileSync('CHANGELOG.md', 'utf8').split(`\n${heading}`);
const faults = [
  manifest.version === version || `package.json is not ${version}`,
  (lock.version === version && lock.packages[''].version === version) ||
    `package-lock.json is not ${version}`,
  chart.includes(`\nversion: ${version}\n`) || `the version of Chart.yaml is not ${version}`,
  chart.includes(`\nappVersion: ${version}\n`) || `the appVersion of Chart.yaml is not ${version}`,
  rest !== undefined || `the heading of CHANGELOG.md is not ${version}`,
  home === undefined ||
    manifest.repository.url === `git+https://github.com/${home}.git` ||
    `the repository of package.json is not ${home}`,
].filter((fault) => fault !== true);
for (const fault of faults) console.error(fault);
if (rest === undefined || faults.length > 0) process.exit(1);
console.log(
  rest
    .slice(rest.indexOf('\n') + 1)
    .split(/\n## \[/)[0]
    .trim(),
);
