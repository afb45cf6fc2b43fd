// Holds the known holes in what is installed to .ci/advisories.json: each of them is mended, or is allowed there by its id, with a reason
// and the day until which that holds.
//
//     node scripts/advisories.mjs                                          asks the registry of npm
//     node scripts/advisories.mjs --report <file> [--policy <file>] [--today <day>]    what `npm audit --json` has said
//
// Exit code 1 where one is not allowed, or not any more, or is allowed and there is none; 2 where that cannot be told.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** Each has a lock file of its own. */
const FOLDERS = ['.', 'bench', 'test/mutation'];
/** Nothing is allowed for longer without somebody thinking of it again. */
const DAYS_MOST = 180;
const DAY_MS = 24 * 3_600_000;
const DAY = /^\d{4}-\d\d-\d\d$/;
const ID = /^GHSA(-[23456789cfghjmpqrvwx]{4}){3}$/;

class Unknown extends Error {}

/** What is allowed, by id. */
function policyIn(text, today) {
  const { allowed, ...rest } = parsed(text, 'the policy');
  if (!Array.isArray(allowed) || Object.keys(rest).length > 0)
    throw new Unknown('the policy has a list `allowed`, and nothing else');
  const latest = new Date(Date.parse(today) + DAYS_MOST * DAY_MS).toISOString().slice(0, 10);
  const policy = new Map();
  for (const { id, reason, until, ...more } of allowed) {
    if (!ID.test(id) || policy.has(id)) throw new Unknown(`not the id of an advisory, or there twice: ${id}`);
    if (typeof reason !== 'string' || reason.trim() === '') throw new Unknown(`${id} has no reason`);
    if (!DAY.test(until) || Number.isNaN(Date.parse(until)))
      throw new Unknown(`${id} has no day as \`until\``);
    if (until > latest) throw new Unknown(`${id} is allowed for more than ${DAYS_MOST} days`);
    if (Object.keys(more).length > 0) throw new Unknown(`${id} has more than id, reason and until`);
    policy.set(id, until);
  }
  return policy;
}

/** The advisories of a report, by id, each with the packages that it is about. */
function advisoriesIn(text) {
  const { vulnerabilities, message = 'no reason given' } = parsed(text, 'the report');
  if (typeof vulnerabilities !== 'object' || vulnerabilities === null)
    throw new Unknown(`the report says nothing of vulnerabilities: ${message}`);
  const found = new Map();
  for (const { via } of Object.values(vulnerabilities)) {
    // What is told by name is about a dependency, which has an entry of its own.
    for (const { url, title, severity, name } of via.filter((each) => typeof each === 'object')) {
      const id = String(url).split('/').at(-1);
      found.set(id, { title, severity, name });
    }
  }
  return found;
}

/** One line for each thing that is not as it should be. */
function faultsOf(found, policy, today) {
  const faults = [];
  for (const [id, { name, severity, title }] of found) {
    const until = policy.get(id);
    if (until === undefined) faults.push(`${name}: ${id}, ${severity}: ${title}`);
    else if (until < today) faults.push(`${name}: ${id} was allowed until ${until}: ${title}`);
  }
  for (const id of policy.keys()) {
    if (!found.has(id)) faults.push(`${id} is allowed, and nothing has it any more: take it out`);
  }
  return faults;
}

function parsed(text, what) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unknown(`${what} is no JSON`);
  }
}

/** npm ends with 1 where it has found something; what it says is read all the same. */
function audit(folder) {
  return new Promise((resolve) => {
    const args = ['audit', '--json', '--package-lock-only'];
    execFile('npm', args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout) => resolve(stdout));
  });
}

try {
  const { values } = parseArgs({
    options: {
      report: { type: 'string', multiple: true },
      policy: { type: 'string', default: '.ci/advisories.json' },
      today: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    },
  });
  const policy = policyIn(readFileSync(values.policy, 'utf8'), values.today);
  const reports =
    values.report?.map((path) => readFileSync(path, 'utf8')) ?? (await Promise.all(FOLDERS.map(audit)));
  const found = new Map(reports.flatMap((report) => [...advisoriesIn(report)]));
  const faults = faultsOf(found, policy, values.today);
  for (const fault of faults) console.error(fault);
  if (faults.length === 0) console.log(`${found.size} known, ${policy.size} allowed`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Unknown ? error.message : error);
  process.exitCode = 2;
}
