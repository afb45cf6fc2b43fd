import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';

const HOLE = 'GHSA-2234-5678-9cfg';
const OTHER = 'GHSA-hjmp-qrvw-x234';
const TODAY = '2026-06-01';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-advisories-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What `npm audit --json` says where a package has these, and another one depends on it. */
const reportOf = (...ids: string[]) => ({
  auditReportVersion: 2,
  vulnerabilities: {
    holey: {
      via: ids.map((id) => ({
        name: 'holey',
        title: 'it leaks',
        severity: 'high',
        url: `https://github.com/advisories/${id}`,
      })),
    },
    above: { via: ['holey'] },
  },
});
const allow = (id: string, until = '2026-07-01') => ({ id, reason: 'nothing of it is called', until });

function hold(report: unknown, policy: unknown) {
  const write = (name: string, content: unknown) => {
    const path = join(folder, name);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const files = ['--report', write('report', report), '--policy', write('policy', policy)];
  const args = ['scripts/advisories.mjs', ...files, '--today', TODAY];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, out: stdout.trim(), err: stderr.trim().split('\n') };
}

describe('known holes', () => {
  it('that are not allowed are told of, by package and id', () => {
    expect(hold(reportOf(HOLE), { allowed: [] })).toMatchObject({
      status: 1,
      err: [`holey: ${HOLE}, high: it leaks`],
    });
  });

  it('that are allowed pass until their day, and not after it', () => {
    const policy = (until: string) => ({ allowed: [allow(HOLE, until), allow(OTHER)] });

    expect(hold(reportOf(HOLE, OTHER), policy(TODAY))).toMatchObject({
      status: 0,
      out: '2 known, 2 allowed',
    });
    expect(hold(reportOf(HOLE, OTHER), policy('2026-05-31'))).toMatchObject({
      status: 1,
      err: [`holey: ${HOLE} was allowed until 2026-05-31: it leaks`],
    });
  });

  it('that are allowed and that nothing has any more are told of', () => {
    const { status, err } = hold(reportOf(), { allowed: [allow(HOLE)] });

    expect([status, err]).toEqual([1, [`${HOLE} is allowed, and nothing has it any more: take it out`]]);
  });

  it.each<[string, unknown]>([
    ['has no answer of the registry', { error: { code: 'ENOTFOUND' } }],
    ['is empty', ''],
  ])('are not said to be none where the report %s', (_what, report) => {
    expect(hold(report, { allowed: [] }).status).toBe(2);
  });

  it.each<[string, unknown]>([
    ['is no JSON', '{'],
    ['allows no list', { allowed: {} }],
    ['says something else', { allowed: [], ignored: [] }],
    ['allows what is no id', { allowed: [allow('CVE-2026-1')] }],
    ['allows one twice', { allowed: [allow(HOLE), allow(HOLE)] }],
    ['gives no reason', { allowed: [{ ...allow(HOLE), reason: ' ' }] }],
    ['names no day', { allowed: [allow(HOLE, 'soon')] }],
    ['allows one for more than 180 days', { allowed: [allow(HOLE, '2026-11-29')] }],
    ['says something else of one', { allowed: [{ ...allow(HOLE), severity: 'low' }] }],
  ])('are held to no policy that %s', (_what, policy) => {
    expect(hold(reportOf(HOLE), policy).status).toBe(2);
  });

  it('may be allowed for 180 days', () => {
    expect(hold(reportOf(HOLE), { allowed: [allow(HOLE, '2026-11-28')] }).status).toBe(0);
  });

  it('are held to a policy of this project that can be read', () => {
    const policy = readFileSync('.ci/advisories.json', 'utf8');
    const { allowed } = JSON.parse(policy) as { allowed: { id: string }[] };

    const { status } = hold(reportOf(...allowed.map(({ id }) => id)), policy);

    expect([0, 1]).toContain(status);
  });
});

describe('the list of what is in a release', () => {
  it('has what is installed with it, and nothing that only its makers need', () => {
    const { stdout } = spawnSync('npm', ['run', '--silent', 'sbom'], { encoding: 'utf8', maxBuffer: 64e6 });

    const { bomFormat, metadata, components, dependencies } = JSON.parse(stdout) as {
      bomFormat: string;
      metadata: { component: { purl: string; 'bom-ref': string } };
      components: { name: string; 'bom-ref': string }[];
      dependencies: { ref: string; dependsOn: string[] }[];
    };
    const names = components.map(({ name }) => name);
    expect(bomFormat).toBe('CycloneDX');
    expect(metadata.component.purl).toMatch(/^pkg:npm\/fairlead@/);
    const { dependencies: needed } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      dependencies: Record<string, string>;
    };
    expect(names).toEqual(expect.arrayContaining(Object.keys(needed)));
    expect(names.filter((name) => ['jest', 'eslint', 'prettier'].includes(name))).toEqual([]);
    const known = new Set([metadata.component['bom-ref']]);
    for (const component of components) known.add(component['bom-ref']);
    const used = dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]);
    expect(used.filter((ref) => !known.has(ref))).toEqual([]);
  });
});
