import { SCENARIOS, type Run, type RunOf, type Scenario, type Spread } from './run.js';

/** Those that are kept. */
export type Runs = { readonly [S in Scenario]?: RunOf[S] };
type Told = [what: string, measured: string, scenario: Scenario];

const NONE = 'not told: no accepted run is kept';
const BEGIN = '<!-- sizing: made by npm run sizing:write -->';
const END = '<!-- sizing: end -->';

/** The page has no place for the table. */
export class PlaceMissing extends Error {
  constructor() {
    super(`there is no ${BEGIN} with a ${END} after it`);
    this.name = 'PlaceMissing';
  }
}

/**
 * The page with the table in its place.
 *
 * @throws PlaceMissing
 */
export function placed(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) throw new PlaceMissing();
  return `${page.slice(0, begin)}${BEGIN}\n\n${table}\n${page.slice(end)}`;
}

/** What was measured, in the order in which one asks, and on what. */
export function sizingTable(runs: Runs): string {
  const told = [
    ...ofBrokers(runs.brokers),
    ...ofStorm(runs.storm),
    ...ofDispatch(runs.dispatch),
    ...ofHttp(runs.http),
  ];
  return [
    columns([
      ['what', 'measured (lowest to highest)', 'scenario'],
      ...told.map(([what, measured, scenario]) => [what, measured, `\`${scenario}\``]),
    ]),
    '',
    ...SCENARIOS.flatMap((scenario) => {
      const run = runs[scenario];
      return run === undefined ? [] : [`- \`${scenario}\`: ${whereabouts(run)}`];
    }),
    '',
  ].join('\n');
}

function ofBrokers(run: RunOf['brokers'] | undefined): Told[] {
  if (run === undefined) {
    const asked = ['memory of a replica for each idle broker', 'transactions a second of an idle hub'];
    return asked.map((what) => [what, NONE, 'brokers']);
  }
  const { rows, statements } = run;
  return [
    ...rows.map(({ size, fairleadRss }): Told => {
      const { median, low, high } = fairleadRss;
      const each = spread({ median: median / 1_024, low: low / 1_024, high: high / 1_024 });
      const together = figure((median * size) / 1_024 ** 2);
      const what = `memory of a replica for each of ${figure(size)} idle brokers`;
      return [what, `${each} KiB; ${together} MiB together`, 'brokers'];
    }),
    ...statements.map(({ brokers, perSecond, median }): Told => {
      const measured = spread({ median, low: Math.min(...perSecond), high: Math.max(...perSecond) });
      return [`transactions a second of a hub with ${figure(brokers)} idle brokers`, measured, 'brokers'];
    }),
  ];
}

function ofStorm(run: RunOf['storm'] | undefined): Told[] {
  if (run === undefined) return [['all brokers owned again after their replica was killed', NONE, 'storm']];
  const { brokers, ownedMs, apiP99Ms } = run;
  return [
    [
      `all of ${figure(brokers)} brokers owned again after their replica was killed`,
      `${figure(ownedMs / 1_000)} s; p99 of the API meanwhile ${figure(apiP99Ms)} ms`,
      'storm',
    ],
  ];
}

function ofDispatch(run: RunOf['dispatch'] | undefined): Told[] {
  if (run === undefined) return [['commands a second, submit to result', NONE, 'dispatch']];
  return run.rows
    .filter(({ side }) => side === 'fairlead' || side === 'fairlead, with keys')
    .map(({ side, inFlight, ...row }) => {
      const keys = side === 'fairlead' ? '' : ', each with an ordering key';
      return [`commands a second, ${figure(inFlight)} in flight${keys}`, paced(row), 'dispatch'];
    });
}

function ofHttp(run: RunOf['http'] | undefined): Told[] {
  if (run === undefined) return [['commands a second through the public API', NONE, 'http']];
  return run.rows
    .filter(({ side }) => side === 'fairlead http')
    .map(({ inFlight, ...row }) => [
      `commands a second through the public API, ${figure(inFlight)} in flight`,
      paced(row),
      'http',
    ]);
}

function paced({ perSecondSpread, p50Ms, p99Ms }: { perSecondSpread: Spread; p50Ms: number; p99Ms: number }) {
  return `${spread(perSecondSpread)}; p50 ${figure(p50Ms)} ms, p99 ${figure(p99Ms)} ms`;
}

function whereabouts({ measuredAt, commit, machine: { cpu, cores, node, postgres } }: Run): string {
  const of = commit === null ? '' : `, commit ${commit}`;
  return `${cores} cores of ${cpu}, Node ${node.replace(/^v/, '')}, PostgreSQL ${postgres}, on ${measuredAt.slice(0, 10)}${of}`;
}

function spread({ median, low, high }: Spread): string {
  return `${figure(median)} (${figure(low)} to ${figure(high)})`;
}

/** Three digits that matter, with commas between thousands. */
function figure(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}

/** As the formatter of the documents would have it. */
function columns(rows: string[][]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_cell, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
