import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { HeartbeatModule } from '../heartbeat/heartbeat.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { AgentController } from './agent.controller.js';
import { AgentCredentials } from './agent-credentials.js';
import { AgentGuard } from './agent.guard.js';
import { AgentRepository } from './agent.repository.js';
import { AgentTokenController } from './agent-token.controller.js';
import { Agents } from './agents.js';
import { AgentsGateway } from './agents.gateway.js';
import { Drifts } from './drifts.js';
import { Evacuation } from './evacuation.js';
import { Forgetting } from './forgetting.js';
import { Messages } from './messages.js';
import { MessagesController } from './messages.controller.js';
import { Reports } from './reports.js';
import { SelfController } from './self.controller.js';
import { StrayController } from './stray.controller.js';
import { StrayRepository } from './stray.repository.js';
import { Strays } from './strays.js';
import { SealedSpecs } from './sealed-specs.js';
import { Sealing } from './sealing.js';
import { UndoRepository } from './undo.repository.js';
import { UpkeepRepository } from './upkeep.repository.js';

/**
 * The workloads that people name, and what is done to them.
 *
 *     created --start--> starting --> running --stop--> stopping --> stopped
 *                            \--> failed  \--> stopped, failed           (restart: starting, with a new run)
 *     any --delete--> deleting --> deleted --its history is forgotten--> (gone)
 *
 * Guarantees: each verb is one dispatch, stored in the same transaction as the phase it leads to. Each launch has a
 * run id; a report of another run, or one that would move the phase backwards, changes nothing. An agent whose
 * command ended without its broker's report follows the ending that is on record. A command that was never sent has changed nothing:
 * a restart that expired so, and whatever was cancelled so, leaves the agent as it was, with the run that goes on. An agent can
 * always be stopped and deleted, whatever became of its project and of its broker's place in it; where the broker is revoked or
 * never comes back, it is deleted without it. A message is one dispatch as well, under its agent's
 * key: it is written to the agent's standard input once, in order, or is told to have failed. While a broker drains
 * nothing is started there, and each agent that runs there is told to stop until it has; then the broker is drained.
 *
 * What a broker runs is compared with the rows on each link, and where its digest says that it has changed unheard. A run
 * that the broker does not know any more ends as failed, or is started again where the agent's policy wants it. A run that
 * nobody wants there is on record for as long as it goes on, and is told to stop where the configuration says so:
 *
 *     running --not in the list, twice--> failed --policy, it had run for a minute--> starting, with a new run
 *     (goes on, unwanted, twice) --> on record --ends there, or is wanted again--> (none)
 *
 * An agent has a credential of its own, of minutes, which its broker asks for. It reads the agent and its inbox, and nothing else. It is
 * refused from the commit on that ends the run, revokes or detaches the broker, or deletes the agent.
 *
 * What stands in an agent's environment is sealed in its row and told to nobody but its broker; only the names are. Its row is rid
 * of it when the agent is deleted.
 *
 * It may lose reports: the broker tells the state of all its agents on its next link, and its digest finds that out before.
 */
@Module({
  imports: [AuthModule, ClusterModule, DispatchModule, HeartbeatModule, RegistryModule],
  controllers: [AgentController, AgentTokenController, MessagesController, SelfController, StrayController],
  providers: [
    AgentCredentials,
    AgentGuard,
    AgentRepository,
    Agents,
    AgentsGateway,
    Drifts,
    Evacuation,
    Forgetting,
    Messages,
    Reports,
    SealedSpecs,
    Sealing,
    StrayRepository,
    Strays,
    UndoRepository,
    UpkeepRepository,
  ],
  exports: [Drifts, Evacuation, Forgetting, Reports, Sealing, Strays],
})
export class AgentsModule {}
