import { Module } from '@nestjs/common';
import { ClusterModule } from '../cluster/cluster.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { HeartbeatGateway } from './heartbeat.gateway.js';
import { Heartbeats } from './heartbeats.js';
import { PresenceRepository } from './presence.repository.js';
import { Sweep } from './sweep.js';

/**
 * Which brokers are alive and well.
 *
 *     online <--says so--> degraded --4 beats missed--> unreachable
 *        \--2 beats missed--^
 *     any --goodbye--> offline       any but the last --a sign of life--> what the broker says of itself
 *                                    any --the next link--> what the broker says of itself
 *
 * Guarantees: liveness is judged by the channel that carries the work, and by nothing else. A broker says only
 * `online` or `degraded` of itself. What an old connection knows changes nothing once there is a newer epoch, and what
 * comes in after a goodbye changes nothing either. No broker is demoted for an outage of the hub or its database, or for
 * a pause of the replica: each gets a full window after it. A sweep lifts nobody. Whatever is found out here is told to
 * people and shown; no command is ever made or ended by it. A broker that stays linked is told of the replicas that came and
 * went with the answers to its beats.
 *
 * It may lose the exact time of a quiet beat while the link goes on, which is written at most once a minute, and what
 * a crash of the database takes back, until the next beat.
 */
@Module({
  imports: [ClusterModule, RegistryModule],
  providers: [HeartbeatGateway, Heartbeats, PresenceRepository, Sweep],
  exports: [Heartbeats, Sweep],
})
export class HeartbeatModule {}
