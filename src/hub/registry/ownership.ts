import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { DISPLACED_BY } from '../../protocol/close-code.js';
import type { Hello } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { negotiate, PROTOCOL_RANGE } from '../../protocol/version.js';
import type { Actor } from '../auth/actor.js';
import { Audit } from '../auth/audit.js';
import { CredentialInvalid } from '../auth/auth.errors.js';
import { Clock } from '../cluster/clock.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { within } from '../lifecycle/within.js';
import { SOFTWARE } from '../software.js';
import type { Run } from '../database/database.js';
import type { Connected } from './connect.repository.js';
import { ConnectionRepository, type Stranger } from './connection.repository.js';
import { Connects } from './connects.js';
import type { ControlChannel } from './control-channel.js';
import { Link } from './link.js';
import { Links } from './links.js';
import { BrokerRevoked, ProtocolUnsupported, ReplicaDraining } from './registry.errors.js';
import { Releases } from './releases.js';
import { bindLink } from './socket-links.js';

/** The end of a stay that an operator wanted; the operator's words follow. */
export const KICKED = 'kicked';

/** The end of a stay under which nobody was welcomed. */
const UNLINKED = 'never_linked';

/** What is not written by then is released by whoever buries this replica. */
const RELEASED_WITHIN_MS = 2_000;

/** Takes, loses and lets go of brokers' connections on behalf of this replica. */
@Injectable()
export class Ownership {
  private readonly log = new Logger('registry');
  /** Links that a newer one of the same broker instance has displaced, and that are read until they end. */
  private readonly lingering = new Set<Link>();

  constructor(
    private readonly repository: ConnectionRepository,
    private readonly connects: Connects,
    private readonly links: Links,
    private readonly replica: Replica,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
    private readonly releases: Releases,
    private readonly audit: Audit,
  ) {}

  /** Learns from other replicas which brokers have moved to them, and from the cluster that all have. */
  start(): void {
    this.wakes.subscribe({
      onHint: ({ moved }) => {
        if (moved.size > 0) void this.recheck([...moved.keys()]);
      },
      onResumed: () => void this.recheckAll(),
    });
    this.replica.onLost(() => {
      for (const link of this.links.all()) {
        this.links.close(link, 'replica_lost');
        link.close('going_away', 'this replica lost its place; connect again');
      }
    });
  }

  /**
   * Takes the broker's connection for this replica, and welcomes it once that is committed.
   *
   * @throws CredentialInvalid where the credential of the upgrade has ended since; ProtocolError where its epoch is not believed;
   *   BrokerRevoked, ReplicaDraining, ProtocolUnsupported, DatabaseUnavailable: then nobody was welcomed
   */
  async greet(channel: ControlChannel, hello: Hello): Promise<void> {
    const protocol = negotiate(hello.protocol);
    if (protocol === undefined) throw new ProtocolUnsupported(PROTOCOL_RANGE);
    if (!channel.isGoodAt(this.clock.now())) throw new CredentialInvalid();
    await this.own(channel, hello, protocol);
  }

  /**
   * Takes the connection of a broker that was greeted as a standby, and so was authenticated then: as with any link, that
   * stands until the broker is revoked.
   *
   * @throws as `greet`
   */
  async promote(channel: ControlChannel, hello: Hello): Promise<void> {
    const protocol = negotiate(hello.protocol);
    if (protocol === undefined) throw new ProtocolUnsupported(PROTOCOL_RANGE);
    await this.own(channel, hello, protocol);
  }

  private async own(channel: ControlChannel, hello: Hello, protocol: number): Promise<void> {
    this.replica.assertMayAct();
    const { brokerId } = channel;
    const connectionId = uuidv7();
    const { bootId, journalId, window, capabilities, health, lastEpoch } = hello;
    await this.assertBelieved(brokerId, lastEpoch);
    // Before the epoch is taken: from there to the opening of the link nothing may fail or wait.
    const alternatives = await this.replica.alternatives();
    // Whoever was here may have another life by now, at another replica, whose place this would take.
    if (!channel.isOpen) return;
    const { epoch, revision, revoked, flagged, former, attachments } = await this.connects.add({
      brokerId,
      connectionId,
      hello,
      transport: channel.transport,
      displaced: this.keeping(brokerId, connectionId, bootId),
    });
    if (epoch === null) throw revoked ? new BrokerRevoked() : new ReplicaDraining();

    const facts = {
      connectionId,
      brokerId,
      epoch,
      bootId,
      journalId,
      window,
      capabilities,
      capabilitiesRevision: revision,
      health,
      attachments,
    };
    const link = new Link(channel, facts);
    if (former !== null && former.bootId !== bootId) {
      const about = { brokerId, epoch, bootId, connectionId, former, flagged };
      this.log.warn(about, 'another instance connected with the credential of a broker');
    }
    const moved = new Map([[brokerId, epoch]]);
    if (!channel.isOpen) {
      await this.releases.add(link, 'closed before the welcome');
      // Not sooner: whom it was taken from is to find that nobody has it, and not that another instance does.
      if (former !== null && !this.releases.brokerIds.has(brokerId))
        this.wakes.tell(former.replicaId, { moved });
      return;
    }
    if (former !== null && former.replicaId !== this.replica.id) this.wakes.tell(former.replicaId, { moved });
    const newer = this.links.get(brokerId);
    if (newer !== undefined && newer.epoch > epoch) {
      // Of two hellos at once the older may be answered last; its link must not take the newer one's place.
      const isItself = newer.facts.bootId === bootId;
      channel.close('displaced', isItself ? DISPLACED_BY.itself : DISPLACED_BY.another);
      return;
    }
    this.displaceHere(brokerId, epoch, bootId);
    this.watchEnd(channel, link);
    bindLink(channel, link);
    channel.welcomed();
    link.send({
      t: 'welcome',
      connectionId,
      brokerId,
      epoch,
      protocol,
      heartbeatMs: TIMES.heartbeatMs,
      livenessMs: TIMES.livenessMs,
      limits: { frameBytes: LIMITS.frameBytes, resultBytes: LIMITS.resultBytes, window },
      hubVersion: SOFTWARE,
      hubTime: this.clock.now().toISOString(),
      alternatives,
      attachments,
      capabilitiesRevision: revision,
    });
    this.log.log({ brokerId, epoch, connectionId }, 'a broker connected');
    this.links.open(link);
  }

  /**
   * The next epoch is above what the broker says, for good: a word past all counting would leave it none that it can be given.
   *
   * @throws ProtocolError
   */
  private async assertBelieved(brokerId: string, lastEpoch: number): Promise<void> {
    if (lastEpoch <= LIMITS.believedMost) return;
    if (lastEpoch > (await this.repository.newestEpoch(brokerId)))
      throw new ProtocolError(`lastEpoch must be at most ${LIMITS.believedMost}, or one that the hub gave`);
  }

  /** The broker said that it leaves: its connection is let go of before the link ends. */
  async goodbye(link: Link, reason: string): Promise<void> {
    if (this.links.close(link, 'goodbye')) {
      await this.releases.add(link, `goodbye ${reason}`.trim());
    }
    link.close('goodbye', reason);
  }

  /**
   * Compares links with the rows: a link whose broker has a newer epoch is displaced, and one that its row does not
   * know is closed. Called when a hint or a refused claim says so, and by the clock for those that none speaks of;
   * where the rows cannot be read nothing is judged, and the next turn of the clock asks again.
   */
  async recheck(brokerIds: readonly string[]): Promise<void> {
    // Links that open while the rows are read are newer than what is read, and not judged by it.
    const asked = new Set(brokerIds);
    const held = [...asked].flatMap((id) => this.links.get(id) ?? []);
    for (const link of this.lingering) if (asked.has(link.brokerId)) held.push(link);
    if (held.length === 0) return;
    let strangers: Map<string, Stranger>;
    try {
      const found = await this.repository.strangers(this.replica.id, held);
      strangers = new Map(found.map((row) => [row.brokerId, row]));
    } catch (error) {
      this.log.warn({ links: held.length, err: error }, 'links could not be compared with their rows');
      return;
    }
    for (const link of held) {
      const row = strangers.get(link.brokerId);
      if (row !== undefined) this.judge(link, row);
    }
  }

  /** All links, and those that are only read still. */
  async recheckAll(): Promise<void> {
    const brokerIds = [...this.links.all(), ...this.lingering].map(({ brokerId }) => brokerId);
    await this.recheck(brokerIds);
  }

  /**
   * Lets go of what the rows say that this replica holds, and that no link here is of. So it is where the answer to the
   * commit of a connect was lost: the broker was refused, and if it never comes back no link of it will end. Called by the
   * clock; where the rows cannot be read the next turn asks again.
   */
  async releaseUnlinked(): Promise<void> {
    const held = this.links.all();
    // What ended before has a reason of its own, and is perhaps not written yet.
    const leaving = this.releases.brokerIds;
    let unlinked: Awaited<ReturnType<ConnectionRepository['unlinked']>>;
    try {
      unlinked = await this.repository.unlinked(this.replica.id, held);
    } catch (error) {
      this.log.warn({ links: held.length, err: error }, 'connections could not be compared with links');
      return;
    }
    for (const connection of unlinked) {
      const { brokerId, epoch } = connection;
      if (leaving.has(brokerId) || this.links.get(brokerId)?.epoch === epoch) continue;
      this.log.warn({ brokerId, epoch }, 'a connection without a link is let go of');
      void this.releases.add(connection, UNLINKED);
    }
  }

  /**
   * Ends a broker's connection, wherever it is: from the commit on nothing is claimed for it, and whoever holds the link
   * is told to close it.
   *
   * @param why follows on `kicked` in the reason of the stay's end; the broker reads it as well
   * @param keep done in the same transaction, where somebody held it
   * @returns false where nobody held it
   */
  async kick(brokerId: string, why: string | undefined, keep: (run: Run) => Promise<void>): Promise<boolean> {
    const reason = why === undefined ? KICKED : `${KICKED}: ${why}`;
    const { former } = await this.repository.takeAway(brokerId, reason, () => Promise.resolve(), keep);
    if (former === undefined) return false;
    this.wakes.tell(former.replicaId, { moved: new Map([[brokerId, former.epoch]]) });
    return true;
  }

  /**
   * Ends a broker's connection for good, and tells every replica, since links of it may be read anywhere.
   *
   * @param revoke makes it unwelcome, in the same transaction
   * @returns what `revoke` gave
   */
  async shutOut(brokerId: string, revoke: (run: Run) => Promise<boolean>): Promise<boolean> {
    const { former, done } = await this.repository.takeAway(brokerId, 'revoked', revoke);
    const moved = new Map([[brokerId, former?.epoch ?? 0]]);
    if (former !== undefined) this.wakes.tell(former.replicaId, { moved });
    try {
      for (const { id, state } of await this.replica.list()) {
        if (state !== 'gone') this.wakes.tell(id, { moved });
      }
    } catch (error) {
      // It is done, and not to be answered as if it were not: the others learn it from the rows within five seconds.
      this.log.warn(
        { brokerId, err: error },
        'the other replicas could not be told that a broker is shut out',
      );
    }
    return done;
  }

  /** The replicas that hold the connections of some brokers; those that nobody holds are left out. */
  async ownersOf(brokerIds: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.repository.read([...brokerIds]);
    return new Map(
      rows.flatMap(({ brokerId, replicaId }): [string, string][] =>
        replicaId === null ? [] : [[brokerId, replicaId]],
      ),
    );
  }

  private judge(link: Link, row: Stranger): void {
    const { brokerId, epoch } = link;
    // Where the broker has two links here the row was found for the other.
    if (row.epoch === epoch && row.replicaId === this.replica.id) return;
    const { releaseReason } = row;
    if (row.isRevoked) {
      this.links.close(link, 'revoked');
      this.log.log({ brokerId, epoch }, 'a link was cut: its broker is revoked');
      link.close('revoked', 'this broker was revoked');
    } else if (row.epoch !== null && row.bootId !== null && row.replicaId !== null && row.epoch > epoch) {
      this.displaceHere(brokerId, row.epoch, row.bootId);
    } else if (this.links.close(link, 'released')) {
      this.log.log(
        { brokerId, epoch, reason: releaseReason },
        'a link was closed: its connection was released',
      );
      if (row.epoch === epoch && releaseReason?.startsWith(KICKED) === true) {
        link.close('goodbye', releaseReason);
      } else {
        // Released over our head, also by a newer link that is over, as one is of an earlier life whose hello was answered late;
        // or the database was taken back to before this epoch: only a new one can carry work.
        link.close('going_away', 'this connection was released; connect again');
      }
    }
  }

  /**
   * Lets go of everything still held here, and ends what is only read still. A database that hangs keeps no broker from
   * being told.
   */
  async releaseAll(reason: string): Promise<void> {
    const held = this.links.all();
    for (const link of held) this.links.close(link, reason);
    const releases = held.map((link) => this.releases.add(link, reason));
    await within(RELEASED_WITHIN_MS, Promise.all(releases));
    for (const link of held) link.close('going_away', reason);
    // Their brokers have newer links, and need no other replica.
    for (const link of this.lingering) link.close('displaced', DISPLACED_BY.itself);
  }

  /** A newer connection of the same broker instance lets the old link finish; one of another instance does not. */
  private displaceHere(brokerId: string, epoch: number, bootId: string): void {
    const former = this.links.get(brokerId);
    if (former === undefined || former.epoch >= epoch) return;
    former.displace(epoch);
    this.links.close(former, 'displaced');
    if (former.facts.bootId !== bootId) {
      former.close('displaced', DISPLACED_BY.another);
      return;
    }
    this.lingering.add(former);
    setTimeout(() => {
      this.lingering.delete(former);
      former.close('displaced', DISPLACED_BY.itself);
    }, TIMES.displacedLingerMs).unref();
  }

  /** What is kept of the place that a connect takes from another instance, in the transaction of the connect. */
  private keeping(brokerId: string, connectionId: string, bootId: string) {
    return async (run: Run, { former, flagged, epoch }: Connected): Promise<void> => {
      const actor: Actor = { kind: 'broker', id: brokerId, name: null, credentialId: null, origin: null };
      const subject = { kind: 'broker', id: brokerId, name: null } as const;
      const detail = { connectionId, epoch, bootId, former, flagged };
      await this.audit.done(run, { act: 'broker.displace', actor, subject, detail });
    };
  }

  /** On its own: what is written in `greet` would keep all that is known there for as long as the link lasts. */
  private watchEnd(channel: ControlChannel, link: Link): void {
    channel.onClosed(({ code, reason }) => this.ended(link, `${code} ${reason}`.trim()));
  }

  private ended(link: Link, reason: string): void {
    const { brokerId, epoch } = link;
    if (!this.links.close(link, reason)) {
      this.log.log({ brokerId, epoch, reason }, 'a link ended that carried no work any more');
      return;
    }
    this.log.log({ brokerId, epoch, reason }, 'a broker disconnected');
    void this.releases.add(link, reason);
  }
}
