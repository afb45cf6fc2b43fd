import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { Admission } from './admission.js';
import { AttachmentController } from './attachment.controller.js';
import { AttachmentLease } from './attachment-lease.js';
import { AttachmentNews } from './attachment-news.js';
import { AttachmentRepository } from './attachment.repository.js';
import { Attachments } from './attachments.js';
import { BrokerController } from './broker.controller.js';
import { BrokerRepository } from './broker.repository.js';
import { Brokers } from './brokers.js';
import { Capabilities } from './capabilities.js';
import { ConnectRepository } from './connect.repository.js';
import { ConnectionRepository } from './connection.repository.js';
import { Connects } from './connects.js';
import { ControlGateway } from './control.gateway.js';
import { RegistryDuties } from './duties.js';
import { FrameHandlers } from './frame-handlers.js';
import { Greetings } from './greetings.js';
import { Headroom } from './headroom.js';
import { Links } from './links.js';
import { MemberController } from './member.controller.js';
import { OperationController } from './operation.controller.js';
import { OperationRepository } from './operation.repository.js';
import { Operations } from './operations.js';
import { Ownership } from './ownership.js';
import { PollChannels } from './poll-channels.js';
import { PollController } from './poll.controller.js';
import { Polls } from './polls.js';
import { ProjectController } from './project.controller.js';
import { ProjectRepository } from './project.repository.js';
import { Projects } from './projects.js';
import { Refusals } from './refusals.js';
import { Rejoins } from './rejoins.js';
import { StandbyLinks } from './standby-links.js';
import { Standings } from './standings.js';
import { StayRepository } from './stay.repository.js';
import { Stays } from './stays.js';
import { Releases } from './releases.js';
import { WaysBack } from './ways-back.js';
import { Whereabouts } from './whereabouts.js';

/**
 * Which brokers exist, which replica owns each one's connection, and which projects admit them.
 *
 *     (nobody) --hello, epoch n+1--> owned by a replica --goodbye, end of link, death of the replica--> (nobody)
 *                                         \--hello elsewhere, epoch n+1--> owned by another
 *
 *     (none) --attach--> registering --hello--> online <--> degraded --lease over--> offline --hello--> online
 *               \--attach, linked--^              \--detach--> offline, which only an attach ends
 *     any --revoke--> revoked, for ever
 *
 *     open --cordon--> cordoned --drain--> draining --none of its agents runs--> drained
 *       ^-----------------uncordon, from each of them----------------/
 *
 * Guarantees: an epoch is taken in a committed row before the broker is welcomed, and only grows. The newest
 * connection wins; an old one that ends late touches nothing. A broker whose ownership cannot be written is refused.
 * A broker may hold a second link ready at another replica: it owns nothing, and takes the connection by one write when it is
 * promoted. A replica that drains holds none.
 * A link that carries no work any more is closed with a reason, also where its replica stops. What rows say that a
 * replica holds and no link of it is of, as after a connect whose commit was in doubt, is let go of within 40 s. A
 * connection over polls is owned like any; a poll that comes in elsewhere is relayed to its owner, and brings and gets
 * each frame once. A broker that is not shared is attached to one project at a time; its slot is free while its
 * attachment is offline. What a person has detached no broker brings back. Read-only is derived from version and floor
 * whenever it is asked for, and a floor only rises. Who owned a broker is kept for 30 days, by the very statements that
 * change it. A broker that was kicked or revoked owns nothing from the commit on; its link is closed as soon as its
 * replica hears of it, and within five seconds if the hint is lost. What a broker can do is replaced as a whole, under
 * a revision that only grows: with its hello, and on its newest link.
 *
 * It may lose the moment at which a connection ended, where the replica died with it: then the release bears the time
 * at which that was noticed. It may lose the hint that an attachment has changed: the broker learns it with the next.
 */
@Module({
  imports: [AuthModule, ClusterModule],
  controllers: [
    AttachmentController,
    BrokerController,
    MemberController,
    OperationController,
    PollController,
    ProjectController,
  ],
  providers: [
    Admission,
    AttachmentLease,
    AttachmentNews,
    AttachmentRepository,
    Attachments,
    BrokerRepository,
    Brokers,
    Rejoins,
    Capabilities,
    ConnectRepository,
    ConnectionRepository,
    Connects,
    ControlGateway,
    FrameHandlers,
    Greetings,
    Headroom,
    Links,
    OperationRepository,
    Operations,
    Ownership,
    PollChannels,
    Polls,
    ProjectRepository,
    Projects,
    Refusals,
    RegistryDuties,
    StandbyLinks,
    Standings,
    StayRepository,
    Stays,
    Releases,
    WaysBack,
    Whereabouts,
  ],
  exports: [
    Admission,
    AttachmentLease,
    AttachmentNews,
    Attachments,
    Brokers,
    Headroom,
    Links,
    Operations,
    Ownership,
    PollChannels,
    Projects,
    Refusals,
    RegistryDuties,
    Releases,
    Stays,
    Whereabouts,
  ],
})
export class RegistryModule {}
