import type { DataSource } from 'typeorm';

/**
 * The statements that would have to be run for the schema to match the entities: none, where nobody changed it by hand.
 *
 * @param dataSource open, with the entities
 */
export async function driftOf(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}
