import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ClusterModule } from '../cluster/cluster.module.js';
import { Admission } from './admission.js';
import { BrokerController } from './broker.controller.js';
import { BrokerRepository } from './broker.repository.js';
import { Brokers } from './brokers.js';
import { ConnectionRepository } from './connection.repository.js';
import { ControlGateway } from './control.gateway.js';
import { Links } from './links.js';
import { Ownership } from './ownership.js';
import { ProjectController } from './project.controller.js';
import { ProjectRepository } from './project.repository.js';
import { Projects } from './projects.js';

/**
 * Which brokers exist, and which replica owns each one's connection.
 *
 *     (nobody) --hello, epoch n+1--> owned by a replica --goodbye, end of link, death of the replica--> (nobody)
 *                                         \--hello elsewhere, epoch n+1--> owned by another
 *
 * Guarantees: an epoch is taken in a committed row before the broker is welcomed, and only grows. The newest
 * connection wins; an old one that ends late touches nothing. A broker whose ownership cannot be written is refused.
 * A link that carries no work any more is closed with a reason. It may lose the moment at which a connection
 * ended, where the replica died with it: then the release bears the time at which that was noticed.
 */
@Module({
  imports: [AuthModule, ClusterModule],
  controllers: [BrokerController, ProjectController],
  providers: [
    Admission,
    BrokerRepository,
    Brokers,
    ConnectionRepository,
    ControlGateway,
    Links,
    Ownership,
    ProjectRepository,
    Projects,
  ],
  exports: [Admission, Brokers, Links, Ownership, Projects],
})
export class RegistryModule {}
