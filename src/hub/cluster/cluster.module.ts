import { Module } from '@nestjs/common';
import { Clock } from './clock.js';
import { Hub } from './hub.js';
import { Listener } from './listener.js';
import { Certificates } from './peers/certificates.js';
import { PeerDoor } from './peers/door.js';
import { PeerNonceRepository } from './peers/nonce.repository.js';
import { Isolation } from './peers/isolation.js';
import { Peers } from './peers/peers.js';
import { PeerWakes } from './peers/peer-wakes.js';
import { Reach } from './peers/reach.js';
import { SignedCalls } from './peers/signed-calls.js';
import { Notifier } from './notifier.js';
import { ReplicaRepository } from './replica.repository.js';
import { Replica } from './replica.js';
import { Wakes } from './wakes.js';

/**
 * Which replicas live, and how one wakes another, or asks it something.
 *
 *     starting --listening--> active --drain--> draining --left--> gone
 *         \___________________/  \________________________________/
 *              silent for 5 s: any replica that itself beats for 6 s marks it gone
 *
 *     (no link) --first call, handshake--> open --a minute without a call, no pong, other side gone--> (no link)
 *
 * Guarantees: the death of a replica's process is noticed within 6 s by whoever looks first, and its connections
 * are released by whoever looks next; after an outage of the database nobody is declared dead for having been
 * unable to beat; a replica that could not renew for 4 s knows that it may not act, and finds out whether it is the only
 * one. Where certificates are required, whoever has none of the same authority is not listened to at all. Nobody without the
 * cluster's secret is listened to by a replica as one of its own; what was signed for one replica, one purpose and one call is
 * taken there, for that, once. Who asks another replica gets its answer or is told that there is none. It may lose wakes, and
 * links to other replicas, and never anything else.
 */
@Module({
  providers: [
    Certificates,
    Clock,
    Hub,
    Isolation,
    Listener,
    Notifier,
    PeerDoor,
    PeerNonceRepository,
    Peers,
    PeerWakes,
    Reach,
    ReplicaRepository,
    Replica,
    SignedCalls,
    Wakes,
  ],
  exports: [Certificates, Clock, Hub, Isolation, PeerDoor, Peers, Reach, Replica, SignedCalls, Wakes],
})
export class ClusterModule {}
