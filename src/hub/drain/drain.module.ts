import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { HealthModule } from '../health/health.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { Draining } from './draining.js';
import { Handover } from './handover.js';
import { Judgement } from './judgement.js';
import { InternalListener } from './internal-listener.js';
import { MoveBudgetRepository } from './move-budget.repository.js';
import { Retreat } from './retreat.js';
import { RemoteDrains } from './remote-drains.js';
import { ReplicaController } from './replica.controller.js';
import { RolloutController } from './rollout.controller.js';
import { RolloutLog } from './rollout-log.js';
import { RolloutRepository } from './rollout.repository.js';
import { Rollouts } from './rollouts.js';

/**
 * How this replica leaves without anyone noticing.
 *
 *     serving --> announced --linger--> brokers asked to move --all gone, or deadline--> released --> drained
 *
 * Guarantees: no broker is admitted after the drain has been announced. Brokers that are still here are served in
 * full until they have moved or the deadline comes; commands for them are accepted all the while, here and
 * elsewhere. The only replica of a hub has nobody to wait for and lets go at once. What is let go of at the deadline
 * waits, unchanged, for the brokers' next links. Of the whole hub only so many brokers are asked to move within a second,
 * unless the deadline is too near for that. A drain never counts as a failure of the work it cuts.
 * Every drain leaves a report: how long each broker was without an owner, and by the trails what became of the commands.
 * A replica that alone has lost the database sends its brokers away as well, and without a report.
 * An operator may ask any replica for the drain of any; from another machine the ask is signed.
 */
@Module({
  imports: [AuthModule, ClusterModule, DispatchModule, HealthModule, RegistryModule],
  controllers: [ReplicaController, RolloutController],
  providers: [
    Draining,
    Handover,
    InternalListener,
    Judgement,
    MoveBudgetRepository,
    RemoteDrains,
    Retreat,
    RolloutLog,
    RolloutRepository,
    Rollouts,
  ],
  exports: [Draining, InternalListener, Rollouts],
})
export class DrainModule {}
