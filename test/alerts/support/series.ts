import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const RULES = 'helm/fairlead/alerts';
/** As Prometheus would name the target. */
const TARGET = { instance: 'replica:8091', job: 'fairlead' };

/** What was scraped, and for how many minutes it stayed like that. */
export type Scraped = { text: string; minutes: number };

/** Which alerts fire so many minutes after the first scrape. */
export type Expected = { atMinute: number; firing: readonly string[] };

/**
 * Judges what was scraped by rules of the chart, in time that promtool makes pass.
 *
 * @param rules their files; all of them where they are left out
 * @returns what promtool has against it; empty where all is as expected
 */
export async function judge(
  scrapes: readonly Scraped[],
  expected: readonly Expected[],
  rules = ruleFiles(),
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-alerts-'));
  try {
    const file = join(folder, 'test.json');
    // promtool reads YAML, of which JSON is a part.
    writeFileSync(file, JSON.stringify(unitTest(scrapes, expected, rules)));
    return await promtool('test', 'rules', file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns what it said where it found something wrong, else nothing */
export function promtool(...words: string[]): Promise<string> {
  return new Promise((done) => {
    execFile(resolve('scripts/promtool.sh'), words, { maxBuffer: 2 ** 26 }, (error, out, err) =>
      done(error === null ? '' : `${out}${err}` || error.message),
    );
  });
}

/** Whether Prometheus could read these; Grafana fills in the interval. @returns what it has against them */
export async function checkQueries(queries: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-queries-'));
  try {
    const rules = queries.map((query, place) => ({
      record: `query:number_${place}`,
      expr: query.replaceAll('$__rate_interval', '5m'),
    }));
    const file = join(folder, 'rules.json');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    return await promtool('check', 'rules', file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function ruleFiles(): string[] {
  return readdirSync(RULES).map((name) => resolve(RULES, name));
}

/** That of one alert. */
export function ruleFile(alert: string): string {
  return resolve(RULES, `${alert}.yaml`);
}

function unitTest(scrapes: readonly Scraped[], expected: readonly Expected[], rules: string[]): object {
  return {
    rule_files: rules,
    evaluation_interval: '15s',
    tests: [
      {
        interval: '1m',
        input_series: seriesOf(scrapes),
        promql_expr_test: expected.map(({ atMinute, firing }) => ({
          expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
          eval_time: `${atMinute}m`,
          exp_samples: firing.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
        })),
      },
    ],
  };
}

/** A sample by its name and labels as they are exported, such as `fairlead_loop_faults`; NaN where there is none. */
export function valueIn(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? NaN : Number(line.slice(series.length + 1));
}

/** Each sample's value over all scrapes; one that is not there yet, or not any more, is a gap. */
function seriesOf(scrapes: readonly Scraped[]): { series: string; values: string }[] {
  const read = scrapes.map(({ text, minutes }) => ({ samples: samplesOf(text), minutes }));
  const names = new Set(read.flatMap(({ samples }) => [...samples.keys()]));
  return [...names].map((series) => ({
    series,
    values: read.map(({ samples, minutes }) => valuesOf(samples.get(series), minutes)).join(' '),
  }));
}

function valuesOf(value: string | undefined, minutes: number): string {
  if (value === undefined) return `_x${minutes}`;
  return Array(minutes).fill(value).join(' ');
}

function samplesOf(text: string): Map<string, string> {
  const samples = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(fairlead_\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined || value === 'Nan') continue;
    const target = Object.entries(TARGET).map(([label, is]) => `${label}="${is}"`);
    samples.set(`${name}{${[labels, ...target].filter((part) => part !== '').join(',')}}`, value);
  }
  return samples;
}
