import type { DataSource } from 'typeorm';

/**
 * What TypeORM would have to run for the database to match the entities: nothing, where migrations and entities say
 * the same.
 *
 * @param dataSource open, with the entities
 */
export async function driftFrom(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => `the entities differ from the migrations: ${query}`);
}
