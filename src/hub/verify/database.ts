import { isUuid } from '../../protocol/read.js';
import { Database } from '../database/database.js';
import { DatabaseUnavailable, hasSqlState } from '../database/database.errors.js';
import { makeDataSource } from '../database/data-source.js';
import { trailsOf } from '../dispatch/trails.js';
import type { TrailFacts } from '../dispatch/record.js';
import { Malformed } from '../proof/malformed.js';
import type { ScopeOptions } from '../proof/scope.js';
import { Unreachable } from './unreachable.js';

const PAGE = 2_000;
/** Whoever reads the database itself sees what is of all projects. */
const ALL = { sees: null, may: null };

/**
 * Every trail of a hub's database, oldest first. It only reads, and needs no hub that runs.
 *
 * Each page is what stood there at one moment. A broker that is given by its name is not looked up: the proof leaves
 * out those of others.
 *
 * @throws Unreachable where there is no way to the database; Malformed where it is not that of a hub
 */
export async function* readTrails(url: string, scope: ScopeOptions): AsyncGenerator<TrailFacts> {
  const { sinceMs = null, untilMs = null, broker } = scope;
  const filter = { sinceMs, untilMs, brokerId: isUuid(broker) ? broker : null };
  const dataSource = await reached(makeDataSource(url, 'fairlead-verify').initialize());
  try {
    const trails = trailsOf(new Database(dataSource));
    for (let after: string | null = null; ;) {
      const page: TrailFacts[] = await reached(trails.list(filter, after, PAGE, ALL));
      yield* page;
      after = page.at(-1)?.id ?? null;
      if (page.length < PAGE) return;
    }
  } finally {
    await dataSource.destroy();
  }
}

const NO_SUCH_TABLE = '42P01';
const NO_SUCH_DATABASE = '3D000';

async function reached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = hasSqlState(error) ? error.code : undefined;
    if (code === NO_SUCH_TABLE || code === NO_SUCH_DATABASE) {
      throw new Malformed('the database is not that of a hub', { cause: error });
    }
    // What the server says of a statement is a fault of this program; all else is one of the way to it.
    if (code?.startsWith('42') === true) throw error;
    const said = error instanceof DatabaseUnavailable ? error.cause : error;
    throw new Unreachable(
      said instanceof Error && said.message !== '' ? said.message : 'it did not answer',
      error,
    );
  }
}
