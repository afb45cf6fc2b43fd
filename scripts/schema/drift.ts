import type { DataSource } from 'typeorm';
import { driftOf } from '../../src/hub/database/drift.js';

/**
 * What TypeORM would have to run for the database to match the entities: nothing, where migrations and entities say
 * the same.
 *
 * @param dataSource open, with the entities
 */
export async function driftFrom(dataSource: DataSource): Promise<string[]> {
  return (await driftOf(dataSource)).map((query) => `the entities differ from the migrations: ${query}`);
}
