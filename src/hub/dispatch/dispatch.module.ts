import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { Backlogs } from './backlogs.js';
import { Contracts } from './contracts.js';
import { EndingRepository } from './ending.repository.js';
import { FloorRepository } from './floor.repository.js';
import { Sender } from './sender.js';
import { Upkeep } from './upkeep.js';
import { Cancels } from './cancels.js';
import { Batches } from './batches.js';
import { Redrives } from './redrives.js';
import { WhyRepository } from './why.repository.js';
import { BatchController } from './batch.controller.js';
import { RedriveController } from './redrive.controller.js';
import { WhyController } from './why.controller.js';
import { SealedArgs } from './sealed-args.js';
import { ClaimRepository } from './claim.repository.js';
import { DispatchController } from './dispatch.controller.js';
import { DispatchGateway } from './dispatch.gateway.js';
import { Dispatches } from './dispatches.js';
import { Endings } from './endings.js';
import { InsertRepository } from './insert.repository.js';
import { Inventories } from './inventories.js';
import { InventoryRepository } from './inventory.repository.js';
import { DispatchLife } from './life.js';
import { PartitionRepository } from './partition.repository.js';
import { ReadRepository } from './read.repository.js';
import { Reconciler } from './reconciler.js';
import { Results } from './results.js';
import { SettleRepository } from './settle.repository.js';
import { Submission } from './submission.js';
import { Sweeps } from './sweeps.js';
import { TrailController } from './trail.controller.js';
import { TrailRepository } from './trail.repository.js';
import { Trails } from './trails.js';
import { Waits } from './waits.js';

/**
 * What each broker must do, how far it is, and what came of it.
 *
 *     pending --claim--> claimed --ack--> running --result--> succeeded | failed
 *       ^ |                | \--result------------^ |
 *       | |                |                        |
 *       | +--deadline--> expired <--deadline and 30 s without word
 *       +--inventory: never begun; or begun, lost, and repeatable (dead when failures are used up)
 *                          inventory: begun, lost, not repeatable --> failed, outcome_unknown
 *
 * Guarantees: what was accepted is committed before it is answered. A dispatch has one ending, written with the
 * move of its row to the history in one statement, fenced by id, broker, attempt and state. Losing an owner changes
 * nothing in a row: the broker's inventory judges it on its next link. Of an ordering key at most one dispatch is
 * out, and it is the earliest live one. A result is confirmed to the broker only when its ending is committed.
 *
 * It may lose hints of new work and of endings: polls find both. The way of a command: `Submission` stores it,
 * `Reconciler` claims and sends it, `Results` settles it, `Endings` tells whoever waits in `Waits`.
 */
@Module({
  imports: [AuthModule, ClusterModule, RegistryModule],
  controllers: [BatchController, DispatchController, RedriveController, TrailController, WhyController],
  providers: [
    Backlogs,
    Contracts,
    EndingRepository,
    FloorRepository,
    Sender,
    Upkeep,
    Cancels,
    Batches,
    Redrives,
    WhyRepository,
    SealedArgs,
    ClaimRepository,
    DispatchGateway,
    Dispatches,
    DispatchLife,
    Endings,
    InsertRepository,
    Inventories,
    InventoryRepository,
    PartitionRepository,
    ReadRepository,
    Reconciler,
    Results,
    SettleRepository,
    Submission,
    Sweeps,
    TrailRepository,
    Trails,
    Waits,
  ],
  exports: [Dispatches, DispatchLife, Endings, Submission],
})
export class DispatchModule {}
