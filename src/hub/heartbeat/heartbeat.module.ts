import { Module } from '@nestjs/common';
import { ClusterModule } from '../cluster/cluster.module.js';
import { RegistryModule } from '../registry/registry.module.js';
import { HeartbeatGateway } from './heartbeat.gateway.js';
import { Heartbeats } from './heartbeats.js';
import { PresenceRepository } from './presence.repository.js';

/**
 * Which brokers are alive and well.
 *
 *     online <--says so--> degraded --4 beats missed--> unreachable
 *        \--2 beats missed--^                              |
 *     any --goodbye--> offline       any sign of life: what the broker says of itself
 *
 * Guarantees: liveness is judged by the channel that carries the work, and by nothing else. A broker says only
 * `online` or `degraded` of itself. What an old connection knows changes nothing once there is a newer epoch. No
 * broker is demoted for an outage of the hub or its database. It may lose the exact time of a quiet beat: that is
 * written at most once a minute.
 */
@Module({
  imports: [ClusterModule, RegistryModule],
  providers: [HeartbeatGateway, Heartbeats, PresenceRepository],
  exports: [Heartbeats],
})
export class HeartbeatModule {}
