import { Global, Module, type DynamicModule } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { unlessAborted } from '../lifecycle/unless-aborted.js';
import { Database } from './database.js';
import { makeDataSource } from './data-source.js';
import { DirectConnections } from './direct-connections.js';
import { migrate, migrateWith } from './migrate.js';
import { patiently } from './patience.js';
import { assertSettingsKept, asPoolerFault } from './pooler.js';
import { DatabaseServer } from './server.js';
import { SessionName } from './session-name.js';
import { Standbys } from './standby.js';

/**
 * The one DataSource of the process, the schema, and the few connections beside the pool.
 *
 * Guarantees: the schema is up to date before anything else of the hub is made, however many replicas start
 * together; every statement is a named constant, which goes without its name where a pooler lends sessions for one
 * transaction at a time; an outage of the server reads as DatabaseUnavailable and never
 * as an answer. The embedded server is a real PostgreSQL, shared by the replicas of the machine and stopped by
 * the last of them. It may lose: nothing.
 */
@Global()
@Module({})
export class DatabaseModule {
  /**
   * @param entities the classes of all tables, for the comparison of schema and code
   * @param signal ends the wait for the server and for its schema
   */
  static of(entities: (new () => object)[], signal?: AbortSignal): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [
        SessionName,
        DatabaseServer,
        DirectConnections,
        {
          provide: DataSource,
          inject: [DatabaseServer, SessionName],
          useFactory: (server: DatabaseServer, session: SessionName) =>
            openDataSource(server, session, entities, signal),
        },
        Database,
        Standbys,
      ],
      exports: [Database, DatabaseServer, DataSource, DirectConnections, SessionName, Standbys],
    };
  }
}

async function openDataSource(
  server: DatabaseServer,
  session: SessionName,
  entities: (new () => object)[],
  signal: AbortSignal | undefined,
): Promise<DataSource> {
  await server.open();
  const { url, directUrl, pooler } = server;
  try {
    const opening = patiently(async () => {
      const dataSource = await makeDataSource(url, session.value, entities, pooler).initialize();
      try {
        if (pooler === 'none') await assertSettingsKept(dataSource);
        if (directUrl === url) await migrateWith(dataSource);
        else await migrate(directUrl);
        return dataSource;
      } catch (error) {
        await dataSource.destroy();
        throw error;
      }
    });
    // A migration that is under way is undone with its session, when the process ends.
    return await unlessAborted(signal, opening);
  } catch (error) {
    await server.close();
    throw asPoolerFault(error);
  }
}
