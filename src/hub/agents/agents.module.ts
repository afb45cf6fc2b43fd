import { Module } from '@nestjs/common';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { AgentController } from './agent.controller.js';
import { AgentRepository } from './agent.repository.js';
import { Agents } from './agents.js';
import { AgentsGateway } from './agents.gateway.js';
import { Reports } from './reports.js';

/**
 * The workloads that people name, and what is done to them.
 *
 *     created --start--> starting --> running --stop--> stopping --> stopped
 *                            \--> failed  \--> stopped, failed           (restart: starting, with a new run)
 *     any --delete--> deleting --> deleted
 *
 * Guarantees: each verb is one dispatch, stored in the same transaction as the phase it leads to. Each launch has a
 * run id; a report of another run, or one that would move the phase backwards, changes nothing. An agent whose
 * command ended without its broker's report follows the ending that is on record. It may lose reports: the broker
 * tells the state of all its agents on its next link.
 */
@Module({
  imports: [DispatchModule, RegistryModule],
  controllers: [AgentController],
  providers: [AgentRepository, Agents, AgentsGateway, Reports],
  exports: [Reports],
})
export class AgentsModule {}
