import { Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { AgentsModule } from './agents/agents.module.js';
import { AuthModule } from './auth/auth.module.js';
import { ClusterModule } from './cluster/cluster.module.js';
import { ConfigModule } from './config/config.module.js';
import type { HubConfig } from './config/hub-config.js';
import { DatabaseModule } from './database/database.module.js';
import { DispatchModule } from './dispatch/dispatch.module.js';
import { DrainModule } from './drain/drain.module.js';
import { ENTITIES } from './entities.js';
import { HealthModule } from './health/health.module.js';
import { HeartbeatModule } from './heartbeat/heartbeat.module.js';
import { LifecycleModule } from './lifecycle/lifecycle.module.js';
import { loggerOptions } from './logger.js';
import { RegistryModule } from './registry/registry.module.js';
import type { LogExport } from '../tracing/log-export.js';
import type { Tracer } from '../tracing/tracer.js';
import { TracingModule } from './tracing/tracing.module.js';

/** One replica of the hub. Which module may use which is told in docs/architecture.md and held by a gate. */
@Module({})
export class HubModule {
  /** @param signal ends the wait for the database */
  static of(
    config: HubConfig,
    tracer: Tracer | undefined,
    logExport: LogExport | undefined,
    signal?: AbortSignal,
  ): DynamicModule {
    return {
      module: HubModule,
      imports: [
        ConfigModule.of(config),
        LoggerModule.forRoot(loggerOptions(config, logExport)),
        LifecycleModule,
        DatabaseModule.of(ENTITIES, signal),
        ClusterModule,
        AuthModule,
        RegistryModule,
        HeartbeatModule,
        DispatchModule,
        AgentsModule,
        TracingModule.of(tracer, logExport),
        HealthModule,
        DrainModule,
      ],
    };
  }
}
