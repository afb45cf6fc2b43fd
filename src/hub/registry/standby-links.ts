import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { DISPLACED_BY } from '../../protocol/close-code.js';
import type { FrameOf, Hello } from '../../protocol/frame.js';
import { TIMES } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { negotiate, PROTOCOL_RANGE } from '../../protocol/version.js';
import { CredentialInvalid } from '../auth/auth.errors.js';
import { Clock } from '../cluster/clock.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { Group } from '../lifecycle/group.js';
import { Admission } from './admission.js';
import { BrokerRepository } from './broker.repository.js';
import type { ControlChannel } from './control-channel.js';
import { Links } from './links.js';
import { Ownership } from './ownership.js';
import { ProtocolUnsupported, ReplicaDraining } from './registry.errors.js';

const OWNED_HERE = 'this replica owns the broker: stand by at another';

const NEWCOMERS_AT_ONCE = 1_000;

type Held = { channel: ControlChannel; hello: Hello };

/**
 * Second links of brokers that another replica owns. They are authenticated and pinged like any, and nothing is written for
 * them until one is promoted: then the broker's connection is taken as by a hello. No row knows of one, so that its replica asks
 * by itself whether the broker is still wanted.
 */
@Injectable()
export class StandbyLinks {
  private readonly log = new Logger('registry');
  /** One of each broker: a newer one takes the place of the one before. */
  private readonly held = new Map<string, Held>();
  /** A fleet that comes back stands by all at once: those of one moment share a statement. */
  private readonly newcomers = new Group<string, true>(async (brokerIds) => {
    await this.recheck(brokerIds);
    return brokerIds.map(() => true);
  }, NEWCOMERS_AT_ONCE);

  constructor(
    private readonly ownership: Ownership,
    private readonly links: Links,
    private readonly admission: Admission,
    private readonly replica: Replica,
    private readonly clock: Clock,
    private readonly brokers: BrokerRepository,
    wakes: Wakes,
  ) {
    // A revocation is told to every replica as a move, since links of the broker may be anywhere.
    wakes.subscribe({
      onHint: ({ moved }) => {
        if (moved.size > 0) void this.recheck([...moved.keys()]);
      },
      onResumed: () => void this.recheckAll(),
    });
    // They own nothing that would have to be handed over: their brokers find another place for them.
    admission.onClosed(() => {
      for (const { channel } of [...this.held.values()])
        channel.close('going_away', 'the replica is being drained');
    });
    // A broker behind a balancer cannot know that both of its links came here.
    links.observe({
      opened: ({ brokerId }) => this.held.get(brokerId)?.channel.close('going_away', OWNED_HERE),
    });
  }

  get count(): number {
    return this.held.size;
  }

  /**
   * Holds a channel ready for its broker. Where this replica is the broker's owner there would be no use in it, and it is
   * closed with a word to look elsewhere.
   *
   * @throws ProtocolError over polls; ProtocolUnsupported, CredentialInvalid, ReplicaDraining, DatabaseUnavailable
   */
  async hold(channel: ControlChannel, hello: Hello): Promise<void> {
    if (channel.transport !== 'websocket') throw new ProtocolError('a standby link is a WebSocket');
    if (negotiate(hello.protocol) === undefined) throw new ProtocolUnsupported(PROTOCOL_RANGE);
    if (!channel.isGoodAt(this.clock.now())) throw new CredentialInvalid();
    const { brokerId } = channel;
    const alternatives = await this.replica.alternatives();
    if (this.admission.isClosed) throw new ReplicaDraining();
    if (this.links.get(brokerId)?.carriesWork === true) {
      channel.close('going_away', OWNED_HERE);
      return;
    }
    if (!channel.isOpen) return;
    const former = this.held.get(brokerId);
    this.held.set(brokerId, { channel, hello });
    former?.channel.close('displaced', DISPLACED_BY.itself);
    channel.onClosed(() => this.forget(channel));
    channel.heldReady();
    const connectionId = uuidv7();
    channel.send({ t: 'standby_ok', connectionId, livenessMs: TIMES.livenessMs, alternatives });
    this.log.log({ brokerId, connectionId }, 'a broker stands by');
    // It may have been revoked since its upgrade, when nobody could find its link yet.
    void this.newcomers.add(brokerId);
  }

  /**
   * Takes the broker's connection over this link.
   *
   * @throws ReplicaDraining, and as `Ownership.greet`: then the broker is owned by whoever owned it
   */
  async promote(channel: ControlChannel, { lastEpoch, capabilities, health }: FrameOf<'promote'>) {
    const held = this.held.get(channel.brokerId);
    if (held?.channel !== channel) throw new ProtocolError('no standby link');
    this.held.delete(channel.brokerId);
    if (this.admission.isClosed) throw new ReplicaDraining();
    await this.ownership.promote(channel, { ...held.hello, lastEpoch, capabilities, health });
  }

  /**
   * Cuts those whose brokers were revoked. Called when a hint says so, and by the clock for those that none speaks of; where the
   * rows cannot be read nothing is judged, and the next turn of the clock asks again.
   */
  async recheck(brokerIds: readonly string[]): Promise<void> {
    const asked = new Map<string, Held>();
    for (const id of brokerIds) {
      const held = this.held.get(id);
      if (held !== undefined) asked.set(id, held);
    }
    if (asked.size === 0) return;
    try {
      for (const [brokerId, standing] of await this.brokers.standings([...asked.keys()])) {
        const held = asked.get(brokerId);
        if (standing !== 'revoked' || held === undefined) continue;
        this.log.log({ brokerId }, 'a standby link was cut: its broker is revoked');
        held.channel.close('revoked', 'this broker was revoked');
      }
    } catch (error) {
      this.log.warn(
        { links: asked.size, err: error },
        'standby links could not be compared with their brokers',
      );
    }
  }

  async recheckAll(): Promise<void> {
    await this.recheck([...this.held.keys()]);
  }

  private forget(channel: ControlChannel): void {
    if (this.held.get(channel.brokerId)?.channel === channel) this.held.delete(channel.brokerId);
  }
}
