import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { ConfigError } from '../config/config.error.js';
import { messageOf } from '../config/error-code.js';
import type { Pooler } from '../config/environment.js';
import { examineConfig, type HubConfig } from '../config/hub-config.js';
import { brokenPems, callerTls, type CallerTls } from '../config/internal-tls.js';
import { sealKeysOf, secretsDir } from '../config/secrets.js';
import { makeDataSource } from '../database/data-source.js';
import { Database, type Run } from '../database/database.js';
import { driftOf } from '../database/drift.js';
import { asPoolerFault, assertSettingsKept } from '../database/pooler.js';
import { DatabaseServer } from '../database/server.js';
import { seenStandby, standbyOf } from '../database/standby.js';
import { roomFindings, roomOf, writableFindings } from './disk.js';
import { DoctorRepository, type SeenServer } from './doctor.repository.js';
import { CHECKS, found, SEVERITIES, type Check, type Diagnosis, type Finding } from './finding.js';
import { hearingFindings } from './hearing.js';
import { replicaFindings } from './replicas.js';
import { driftFindings, migrationFindings } from './schema.js';
import { sealFindings } from './seal-ring.js';
import { brokenRules, endingCertificate, openSecrets, weakSecrets } from './secrets.js';
import { connectionFindings, pinnedFindings, serverFindings, unreachable } from './server.js';

type Entities = (new () => object)[];

/**
 * Looks at everything that a hub with this environment would need. Never fails for what it finds.
 *
 * @param entities the classes of all tables, for the comparison with the schema
 */
export async function examine(env: NodeJS.ProcessEnv, entities: Entities): Promise<Diagnosis> {
  return new Examination(env, entities).run();
}

class Examination {
  private readonly findings: Finding[] = [];
  private readonly done = new Set<Check>();

  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly entities: Entities,
  ) {}

  async run(): Promise<Diagnosis> {
    const { config, broken } = examineConfig(this.env);
    this.tell('configuration', brokenRules(broken));
    this.tell('secrets', [
      ...weakSecrets(config),
      ...openSecrets(this.env, config.dataDir),
      ...endingCertificate(config),
    ]);
    const isAddressKnown = !broken.some(({ variable }) => /^DATABASE_URL(_FILE)?$/.test(variable));
    if (isAddressKnown && config.database.url === null) await this.embedded(config);
    else {
      // A shared database has a disk that is not for us to see.
      this.tell('disk', []);
      if (isAddressKnown) await this.database(config, new DatabaseServer(config));
    }
    return {
      checks: CHECKS.map((check) => ({ check, outcome: this.done.has(check) ? 'done' : 'not_possible' })),
      findings: this.findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)),
    };
  }

  private tell(check: Check, findings: readonly Finding[]): void {
    this.done.add(check);
    this.findings.push(...findings);
  }

  /** One that is not made yet is not made for this. */
  private async embedded(config: HubConfig): Promise<void> {
    const { dataDir } = config;
    this.tell('disk', [...writableFindings(dataDir), ...roomFindings(dataDir, await roomOf(dataDir))]);
    if (!hasDatabase(dataDir)) {
      this.tell('database', [found('database_absent', `there is no embedded database in ${dataDir} yet`)]);
      return;
    }
    await this.database(config, new DatabaseServer(config));
  }

  private async database(config: HubConfig, server: DatabaseServer): Promise<void> {
    try {
      await server.open();
    } catch (error) {
      this.tell('database', [found('embedded_failed', messageOf(error))]);
      return;
    }
    try {
      const pool = await this.pool(server);
      if (pool === undefined) return;
      try {
        await this.within(config, server, pool);
      } finally {
        await pool.destroy();
      }
    } finally {
      await server.close();
    }
  }

  /** Where the pooler was not declared, as though it were: what lies behind it may be broken, too. */
  private async pool({ url, pooler }: DatabaseServer): Promise<DataSource | undefined> {
    try {
      return await this.opened(url, pooler);
    } catch (error) {
      if (!(error instanceof ConfigError)) {
        this.tell('database', [unreachable(error)]);
        return undefined;
      }
      this.findings.push(
        found('pooler_undeclared', 'DATABASE_URL leads through a pooler that was not declared'),
      );
      return this.opened(url, 'transaction').catch((again: unknown) => {
        this.tell('database', [unreachable(again)]);
        return undefined;
      });
    }
  }

  private async opened(url: string, pooler: Pooler): Promise<DataSource> {
    try {
      const dataSource = await makeDataSource(url, 'fairlead-doctor', this.entities, pooler).initialize();
      try {
        if (pooler === 'none') await assertSettingsKept(dataSource);
        return dataSource;
      } catch (error) {
        await dataSource.destroy();
        throw error;
      }
    } catch (error) {
      throw asPoolerFault(error);
    }
  }

  private async within(config: HubConfig, server: DatabaseServer, pool: DataSource): Promise<void> {
    const database = new Database(pool);
    const repository = new DoctorRepository(database.run);
    const beganAt = Date.now();
    const seen = await repository.server().catch((error: unknown) => {
      this.tell('database', [unreachable((error as { cause?: unknown }).cause ?? error)]);
      return undefined;
    });
    if (seen === undefined) return;
    const clockAheadMs = (beganAt + Date.now()) / 2 - seen.now.getTime();
    const { hostname: host } = new URL(server.url);
    this.tell('database', serverFindings(seen, { host, isEmbedded: server.isEmbedded, clockAheadMs }));
    await this.attempt('database', async () => [
      ...pinnedFindings(await repository.oldestTransaction()),
      ...(server.isEmbedded ? [] : await standbyFindings(database.run)),
    ]);
    await this.attempt('listener', () => this.hearing(server, repository));
    await this.ofSchema(config, pool, repository, seen);
  }

  private async hearing(
    { directUrl, directPooler, pooler }: DatabaseServer,
    repository: DoctorRepository,
  ): Promise<Finding[]> {
    if (directPooler === 'none' && !this.has('pooler_undeclared')) {
      return hearingFindings(directUrl, repository);
    }
    return pooler === 'transaction'
      ? [found('pooler_without_direct', 'there is no way to the database past its pooler')]
      : [];
  }

  /** What is in the tables can be asked only where they are as this release makes them. */
  private async ofSchema(
    config: HubConfig,
    pool: DataSource,
    repository: DoctorRepository,
    seen: SeenServer,
  ): Promise<void> {
    const { catalogue } = repository;
    await this.attempt('schema', async () => {
      if (await catalogue.hasTable('copy_progress')) {
        return [
          found('copy_unfinished', 'the database holds a copy that is not whole, and no hub starts on it'),
        ];
      }
      const findings = migrationFindings(await catalogue.applied());
      return findings.length > 0 ? findings : driftFindings(await driftOf(pool));
    });
    if (await catalogue.hasTable('hub_replica')) {
      await this.attempt('replicas', async () => {
        const replicas = await repository.replicas();
        return [...connectionFindings(seen, replicas), ...(await replicaFindings(replicas, tlsOf(config)))];
      });
    } else this.findings.push(...connectionFindings(seen, []));
    const ring = ringOf(config);
    if (ring !== undefined && (await catalogue.hasTable('agent')) && !this.has('schema_behind')) {
      await this.attempt('seal keys', async () => sealFindings(ring, await repository.sealed()));
    }
  }

  /** A check that fails is a finding itself, and ends none of the others. */
  private async attempt(check: Check, work: () => Promise<readonly Finding[]>): Promise<void> {
    try {
      this.tell(check, await work());
    } catch (error) {
      const said = (error as { cause?: unknown }).cause ?? error;
      this.findings.push(found('database_failed', `${check}: ${messageOf(said)}`));
    }
  }

  private has(code: Finding['code']): boolean {
    return this.findings.some((finding) => finding.code === code);
  }
}

async function standbyFindings(run: Run): Promise<Finding[]> {
  const seen = await seenStandby(run);
  const standby = seen === undefined ? 'not_known' : standbyOf(seen);
  if (standby === 'none') return [found('standby_none', 'there is no synchronous standby')];
  if (standby === 'not_awaited')
    return [found('standby_none', 'a synchronous standby is asked for, and commits do not wait for it')];
  if (standby !== 'away') return [];
  return [found('standby_away', 'a synchronous standby is asked for, and none is connected')];
}

/** undefined where there is none to call with; what is wrong with it is told by the configuration. */
function tlsOf({ internalTls }: HubConfig): CallerTls | undefined {
  if (internalTls === null || brokenPems(internalTls.pems).length > 0) return undefined;
  return callerTls(internalTls.pems);
}

/** undefined where there is none to look with; what is missing is told by the configuration. */
function ringOf(config: HubConfig): readonly Buffer[] | undefined {
  if (config.sealKeys !== null) return config.sealKeys;
  if (config.database.url !== null) return undefined;
  // Asking for one would make it, and a ring that was made just now opens nothing.
  return existsSync(join(secretsDir(config.dataDir), 'seal-keys')) ? sealKeysOf(config) : [];
}

/** Whether a data directory has a database, or says where its database is. */
function hasDatabase(dataDir: string): boolean {
  if (!existsSync(dataDir)) return false;
  return readdirSync(dataDir).some((name) => /^postgres-(\d+|at)$/.test(name));
}
