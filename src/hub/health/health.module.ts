import { Module } from '@nestjs/common';
import { AgentsModule } from '../agents/agents.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { HealthController } from './health.controller.js';
import { AgentMetrics } from './agent-metrics.js';
import { DispatchMetrics } from './dispatch-metrics.js';
import { ProjectMetrics } from './project-metrics.js';
import { RequestMetrics } from './request-metrics.js';
import { Health } from './health.js';
import { Metrics } from './metrics.js';

/**
 * How this replica is: alive, ready, and in parts with the age of each fact.
 *
 * Readiness says one thing only, whether requests should come here. It depends neither on brokers, which wait for
 * readiness, nor on the database, unless another replica has it: its absence nobody else would answer better.
 *
 * What is measured is told to who asks, as plain text or as OpenMetrics. That alone names traces, of the times of requests
 * and commands: such as were sampled and are exported from here. Where tracing is off no value is kept for that.
 */
@Module({
  imports: [AgentsModule, AuthModule, ClusterModule, DispatchModule, RegistryModule],
  controllers: [HealthController],
  providers: [AgentMetrics, DispatchMetrics, ProjectMetrics, RequestMetrics, Health, Metrics],
  exports: [Health, Metrics, RequestMetrics],
})
export class HealthModule {}
