import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { AgentController } from './agent.controller.js';
import { AgentRepository } from './agent.repository.js';
import { Agents } from './agents.js';
import { AgentsGateway } from './agents.gateway.js';
import { Evacuation } from './evacuation.js';
import { Messages } from './messages.js';
import { MessagesController } from './messages.controller.js';
import { Reports } from './reports.js';
import { SealedSpecs } from './sealed-specs.js';
import { Sealing } from './sealing.js';

/**
 * The workloads that people name, and what is done to them.
 *
 *     created --start--> starting --> running --stop--> stopping --> stopped
 *                            \--> failed  \--> stopped, failed           (restart: starting, with a new run)
 *     any --delete--> deleting --> deleted
 *
 * Guarantees: each verb is one dispatch, stored in the same transaction as the phase it leads to. Each launch has a
 * run id; a report of another run, or one that would move the phase backwards, changes nothing. An agent whose
 * command ended without its broker's report follows the ending that is on record. A message is one dispatch as well, under its agent's
 * key: it is written to the agent's standard input once, in order, or is told to have failed. While a broker drains
 * nothing is started there, and each agent that runs there is told to stop until it has; then the broker is drained. What
 * stands in an agent's environment is sealed in its row and told to nobody but its broker; only the names are. It
 * may lose reports: the broker tells the state of all its agents on its next link.
 */
@Module({
  imports: [AuthModule, DispatchModule, RegistryModule],
  controllers: [AgentController, MessagesController],
  providers: [AgentRepository, Agents, AgentsGateway, Evacuation, Messages, Reports, SealedSpecs, Sealing],
  exports: [Evacuation, Reports, Sealing],
})
export class AgentsModule {}
