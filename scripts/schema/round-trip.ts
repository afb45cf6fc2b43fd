import type { DataSource } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { ENTITIES } from '../../src/hub/entities.js';
import { driftFrom } from './drift.js';
import { hotIndexesIn } from './hot-columns.js';
import { leftoversIn } from './leftovers.js';
import { vocabularyFaultsIn } from './vocabulary.js';

/**
 * Takes an empty database up, down and up again, and says what is wrong with the schema on the way.
 *
 * @throws the server's error where a migration cannot be run
 */
export async function faultsOfSchema(url: string): Promise<string[]> {
  const dataSource = await makeDataSource(url, 'fairlead-schema', ENTITIES).initialize();
  try {
    await dataSource.runMigrations({ transaction: 'each' });
    const faults = await faultsIn(dataSource);
    for (let taken = 0; taken < MIGRATIONS.length; taken += 1) {
      await dataSource.undoLastMigration({ transaction: 'each' });
    }
    faults.push(...(await leftoversIn(dataSource)));
    await dataSource.runMigrations({ transaction: 'each' });
    return faults;
  } finally {
    await dataSource.destroy();
  }
}

/** Of a database that is up to date. */
export async function faultsIn(dataSource: DataSource): Promise<string[]> {
  return [
    ...(await driftFrom(dataSource)),
    ...(await vocabularyFaultsIn(dataSource)),
    ...(await hotIndexesIn(dataSource)),
  ];
}
