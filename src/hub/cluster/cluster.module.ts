import { Module } from '@nestjs/common';
import { Clock } from './clock.js';
import { Hub } from './hub.js';
import { Listener } from './listener.js';
import { Notifier } from './notifier.js';
import { ReplicaRepository } from './replica.repository.js';
import { Replica } from './replica.js';
import { Wakes } from './wakes.js';

/**
 * Which replicas live, and how one wakes another.
 *
 *     starting --listening--> active --drain--> draining --left--> gone
 *         \___________________/  \________________________________/
 *              silent for 5 s: any replica that itself beats for 6 s marks it gone
 *
 * Guarantees: the death of a replica's process is noticed within 6 s by whoever looks first, and its connections
 * are released by whoever looks next; after an outage of the database nobody is declared dead for having been
 * unable to beat; a replica that could not renew for 4 s knows that it may not act. It may lose wakes, and never
 * anything else.
 */
@Module({
  providers: [Clock, Hub, Listener, Notifier, ReplicaRepository, Replica, Wakes],
  exports: [Clock, Hub, Replica, Wakes],
})
export class ClusterModule {}
