import { DataSource } from 'typeorm';
import type { Pooler } from '../config/environment.js';
import { MIGRATIONS } from './migrations.js';
import { PoolClient, poolClientOf } from './pool-client.js';
import { PooledClient } from './pooled-client.js';
import {
  ANSWER_WITHIN_MS,
  COLUMN_TYPES,
  CONNECT_WITHIN_MS,
  POOLED_NAME,
  SESSION_OPTIONS,
} from './session.js';

export const POOL_SIZE = 10;

/**
 * The one DataSource of a process; everything but the direct connections goes through its pool.
 *
 * @param url address of the database, with its password
 * @param sessionName shown by the server beside each session, so that a dead replica's can be found and ended
 * @param pooler what the address leads through; past one the sessions are others' too, and have no name of ours
 * @param entities the tables' classes, which the schema is compared with
 */
export function makeDataSource(
  url: string,
  sessionName: string,
  entities: (new () => object)[] = [],
  pooler: Pooler = 'none',
): DataSource {
  const isPooled = pooler === 'transaction';
  return new DataSource({
    type: 'postgres',
    url,
    applicationName: isPooled ? POOLED_NAME : sessionName,
    entities,
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migration',
    poolSize: POOL_SIZE,
    connectTimeoutMS: CONNECT_WITHIN_MS,
    // The pool's idle connections fail when the server goes; the statement that needs one says so itself.
    poolErrorHandler: () => undefined,
    extra: {
      Client: poolClientOf(isPooled ? PooledClient : PoolClient),
      query_timeout: ANSWER_WITHIN_MS,
      types: COLUMN_TYPES,
      ...(isPooled ? {} : { options: SESSION_OPTIONS }),
      keepAlive: true,
    },
  });
}
