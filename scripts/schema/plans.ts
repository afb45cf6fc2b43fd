import type { DataSource, QueryRunner } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import type { Statement } from '../../src/hub/database/statement.js';

/** Statements that read the live commands whole, and who may wait for that. */
const WALKS: Readonly<Record<string, string>> = {
  count_live_dispatches: 'a scrape of metrics',
  count_pending_dispatches_of_projects: 'a scrape of metrics',
  count_sealed_by_key: 'somebody who asks what is wrong with an installation',
  lapse_bound_to_links_that_are_over: 'a sweep each minute',
};

const plant = (rows: number) => `
  insert into broker_dispatch (id, broker_id, op, args, lane, ordering_key, state, contract, deadline_at, origin_replica,
                               initiator, trail)
  select gen_random_uuid(), md5((n % 10)::text)::uuid, 'broker.ping', '{}', 'normal', 'k' || n % 50, 'pending', 'until',
         now() + interval '15 minutes', gen_random_uuid(), '{}', '{}'
  from generate_series(1, ${rows}) n`;

/** What the server may know of the live commands when it plans, one moment after the other. */
const MOMENTS: readonly (readonly [name: string, ...steps: string[]])[] = [
  ['before anything was stored'],
  ['while it is empty', 'vacuum analyze broker_dispatch'],
  ['while it holds a row', plant(1), 'vacuum analyze broker_dispatch'],
  ['while it holds thousands', plant(3_000), 'vacuum analyze broker_dispatch'],
  ['when thousands have ended', 'delete from broker_dispatch', 'analyze broker_dispatch'],
];

/**
 * Statements whose plan would, in some moment, walk all live commands in place of finding rows by an index, or would find
 * them by another index than in the first moment. A plan is kept, so the moment in which it is made is not that
 * in which it runs.
 *
 * @param url a migrated database, whose live commands are planted and deleted
 */
export async function unsteadyPlansIn(url: string, statements: Iterable<Statement>): Promise<string[]> {
  const about = [...statements].filter(({ text }) => /\bbroker_dispatch\b/.test(text));
  const dataSource = await makeDataSource(url, 'fairlead-plans').initialize();
  try {
    return await faultsIn(dataSource, about);
  } finally {
    await dataSource.destroy();
  }
}

async function faultsIn(dataSource: DataSource, statements: readonly Statement[]): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  const faults: string[] = [];
  const first = new Map<string, string>();
  try {
    for (const [moment, ...steps] of MOMENTS) {
      for (const step of steps) await runner.query(step);
      for (const { name, text } of statements.filter(({ name }) => !(name in WALKS))) {
        const accesses = await accessesBy(runner, text);
        const walk = accesses.find(({ condition }) => condition === undefined);
        if (walk !== undefined) faults.push(`${moment} ${name} walks all live commands: ${walk.scan}`);
        const indexes = accesses.map(({ scan }) => scan).join(', ');
        const before = first.get(name) ?? indexes;
        first.set(name, before);
        if (before !== indexes) faults.push(`${moment} ${name} goes by ${indexes}, and else by ${before}`);
      }
    }
    return faults;
  } finally {
    await runner.release();
  }
}

type Access = { scan: string; condition: string | undefined };

/** How a statement's plan gets at the live commands, in the order of their indexes' names. */
async function accessesBy(runner: QueryRunner, text: string): Promise<Access[]> {
  const rows = (await runner.query(`explain (generic_plan, costs off) ${text}`)) as {
    'QUERY PLAN': string;
  }[];
  const lines = rows.map((row) => row['QUERY PLAN'].trim());
  return lines
    .flatMap((line, at) => {
      const scan = /(?:->\s+)?(\w.* on broker_dispatch)\b/.exec(line)?.[1];
      if (scan === undefined || !/Scan/.test(scan)) return [];
      return [{ scan, condition: lines[at + 1]?.match(/^Index Cond: (.*)/)?.[1] }];
    })
    .sort((a, b) => (a.scan < b.scan ? -1 : 1));
}
