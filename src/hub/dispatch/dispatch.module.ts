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
import { ProjectWhyController } from './project-why.controller.js';
import { ProjectWhyRepository } from './project-why.repository.js';
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
import { Intake } from './intake.js';
import { Inventories } from './inventories.js';
import { InventoryRepository } from './inventory.repository.js';
import { DispatchLife } from './life.js';
import { HandOff } from './hand-off.js';
import { History } from './history.js';
import { ListRepository } from './list.repository.js';
import { Owners } from './owners.js';
import { PartitionRepository } from './partition.repository.js';
import { Progress } from './progress.js';
import { ProgressRepository } from './progress.repository.js';
import { QuietBrokers } from './quiet-brokers.js';
import { QuietRepository } from './quiet.repository.js';
import { ReadRepository } from './read.repository.js';
import { Reconciler } from './reconciler.js';
import { Results } from './results.js';
import { Retention } from './retention.js';
import { SettleRepository } from './settle.repository.js';
import { Shares } from './shares.js';
import { StepLog } from './step-log.js';
import { Steps } from './steps.js';
import { Submission } from './submission.js';
import { Sweeps } from './sweeps.js';
import { TrailController } from './trail.controller.js';
import { TrailRepository } from './trail.repository.js';
import { Trails } from './trails.js';
import { Waits } from './waits.js';

/**
 * What each broker must do, how far it is, and what came of it.
 *
 *     pending --claim--> claimed --ack--> running --result--> succeeded | failed | cancelled
 *       | ^                | \--result------------^ |
 *       | +----put back----+------------------------+--failures used up--> dead
 *       |                  |                        |
 *       |                  |                        +--begun and lost--> failed, outcome_unknown
 *       |                  +------------------------+--deadline and 30 s without word--> expired
 *       |
 *       +--cancel, supersede--> cancelled
 *       +--lapse--> failed
 *       +--deadline--> expired
 *
 *     put back    requeue: the inventory says that it was never begun; or it was begun, lost, and is repeatable
 *                 retry: the broker says that it failed in a way that may pass; it rests first
 *     cancel      what is out gets a mark, and the broker is asked to stop it until it has answered
 *     supersede   a later command of its key came, and only the latest counts
 *     lapse       the one link that it was bound to is over; also where it was claimed and not begun
 *
 * Guarantees: what was accepted is committed before it is answered. A dispatch has one ending, written with the
 * move of its row to the history in one statement, fenced by id, broker, attempt and state. Losing an owner changes
 * nothing in a row: the broker's inventory judges it on its next link. Of an ordering key at most one dispatch is
 * out, and it is the earliest live one that is due; one that rests after a failure keeps its key. A result is
 * confirmed to the broker only when its ending is committed. A wish to cancel outlives every process, and what is
 * marked is not put back. An ended dispatch is never left: doing it again makes another, within a day one at most.
 * What a broker runs of a dispatch that has ended here, or that the rows know nothing of, it is asked to stop on each
 * link whose inventory tells of it.
 *
 * What ended is known for a number of days after it was accepted (30 unless told otherwise); a command lives for seven at
 * most. Then `Retention` drops the whole day.
 *
 * It may lose hints of new work, of endings, of progress and of cancels: polls find all of them. It may lose how far a
 * command is: the broker's next word brings it. It may lose the floor of a broker's rows, which costs a longer read. The
 * cap of a broker's backlog is counted, mostly not at each insert, and may be passed by 1,000 commands a replica. A row
 * whose insert took more than ten seconds may stand below the floor, and go after others of its key.
 *
 * A command in a project is judged by the project's rules once, in the statement that stores it, with project and
 * attachment held: what was accepted is done, whatever becomes of them. A quota is counted as the cap is, and two
 * replicas that count at once may pass it by what each of them stores; a row whose insert took more than ten seconds may stay
 * uncounted there for ten minutes.
 *
 * The way of a command: `Submission` stores it, within what `Intake` has room for, through `HandOff` as claimed where the broker
 * is linked here and nothing of it waits, or, without an ordering key and within the limits of `Shares`, for the owner elsewhere. `Reconciler` claims it from
 * its broker's `Backlog`, `Sender` puts it on the wire, `Results` settles it, `Endings` tells whoever waits in `Waits`. Beside
 * that way, `Upkeep` does by the clock what hints would have done sooner, `Progress` keeps how far commands are, `Inventories`
 * judge what an earlier link left, `QuietBrokers` find all at once those with whom it left nothing, `Cancels`, `Contracts`
 * and `Sweeps` end what its caller, its link or time gave up, and `Redrives` begin again.
 */
@Module({
  imports: [AuthModule, ClusterModule, RegistryModule],
  controllers: [
    ProjectWhyController,
    BatchController,
    DispatchController,
    RedriveController,
    TrailController,
    WhyController,
  ],
  providers: [
    ProjectWhyRepository,
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
    HandOff,
    History,
    InsertRepository,
    Intake,
    Inventories,
    InventoryRepository,
    ListRepository,
    Owners,
    PartitionRepository,
    Progress,
    ProgressRepository,
    QuietBrokers,
    QuietRepository,
    ReadRepository,
    Reconciler,
    Results,
    Retention,
    SettleRepository,
    Shares,
    StepLog,
    Steps,
    Submission,
    Sweeps,
    TrailRepository,
    Trails,
    Waits,
  ],
  exports: [Dispatches, DispatchLife, Endings, Progress, Steps, Submission, Trails],
})
export class DispatchModule {}
