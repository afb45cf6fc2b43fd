import type { DataSource, MigrationInterface } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { ENTITIES } from '../../src/hub/entities.js';
import { driftFrom } from './drift.js';
import { hotIndexesIn } from './hot-columns.js';
import { differencesBetween, inventoryOf } from './inventory.js';
import { strangeWordsIn, vocabularyFaultsIn } from './vocabulary.js';

type Plan = {
  entities: readonly (new () => object)[];
  migrations: readonly (new () => MigrationInterface)[];
  /** The folder with the committed copies of all statements. */
  statements: string;
};

/**
 * Takes an empty database up, down and up again, and says what is wrong with the schema on the way. Each step down
 * must lead back to what stood before its migration went up: a leftover of one would be hidden by the next.
 *
 * @throws the server's error where a migration cannot be run
 */
export async function faultsOfSchema(
  url: string,
  { entities = ENTITIES, migrations = MIGRATIONS, statements = 'docs/sql' }: Partial<Plan> = {},
): Promise<string[]> {
  const before: string[][] = [];
  for (let count = 0; count <= migrations.length; count += 1) {
    // What a step leaves behind shows without the entities, which take longer to read than a step takes.
    await withMigrations(url, [], migrations.slice(0, count), async (dataSource) => {
      await dataSource.runMigrations({ transaction: 'each' });
      before.push(await inventoryOf(dataSource));
    });
  }
  return withMigrations(url, entities, migrations, async (dataSource) => {
    const faults = [...strangeWordsIn(statements), ...(await faultsIn(dataSource))];
    const goneBack = await faultsOfGoingBack(dataSource, migrations, before);
    if (goneBack.length > 0) return [...faults, ...goneBack];
    await dataSource.runMigrations({ transaction: 'each' });
    const again = differencesBetween(before.at(-1) ?? [], await inventoryOf(dataSource));
    return [...faults, ...again.map((difference) => `going up again ${difference}`)];
  });
}

/** Of a database that is up to date. */
export async function faultsIn(dataSource: DataSource): Promise<string[]> {
  return [
    ...(await driftFrom(dataSource)),
    ...(await vocabularyFaultsIn(dataSource)),
    ...(await hotIndexesIn(dataSource)),
  ];
}

async function faultsOfGoingBack(
  dataSource: DataSource,
  migrations: Plan['migrations'],
  before: readonly string[][],
): Promise<string[]> {
  const faults: string[] = [];
  for (let count = migrations.length; count > 0; count -= 1) {
    await dataSource.undoLastMigration({ transaction: 'each' });
    const differences = differencesBetween(before[count - 1] ?? [], await inventoryOf(dataSource));
    const name = migrations[count - 1]?.name ?? '';
    faults.push(...differences.map((difference) => `taking back ${name} ${difference}`));
  }
  return faults;
}

async function withMigrations<T>(
  url: string,
  entities: Plan['entities'],
  migrations: Plan['migrations'],
  work: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const dataSource = makeDataSource(url, 'fairlead-schema', [...entities]);
  await dataSource.setOptions({ migrations: [...migrations] }).initialize();
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
