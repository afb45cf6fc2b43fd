import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Loop } from '../../lifecycle/loop.js';
import { Loops } from '../../lifecycle/loops.js';
import { Replica } from '../replica.js';
import { ReplicaRepository } from '../replica.repository.js';
import { Certificates } from './certificates.js';
import { PeerNonceRepository } from './nonce.repository.js';
import { OutgoingLink, type Ask } from './outgoing-link.js';
import { CallsItself, PeerUnreachable } from './peers.errors.js';
import { Reach } from './reach.js';
import { SignedCalls } from './signed-calls.js';
import { callOnce } from './single-call.js';
import type { WakeStream } from './wake-stream.js';

const MIND_EVERY_MS = 10_000;
const IDLE_MS = 60_000;
const FORGET_MOST = 1_000;
const SINGLE_WITHIN_MS = 5_000;

/**
 * The other replicas, to be asked something. There is one link to each that was asked lately: it is opened when it is
 * first needed, and closed when nothing was asked for a minute, or the other side is gone.
 */
@Injectable()
export class Peers {
  private readonly seeking = new Map<string, Promise<string>>();
  private readonly opening = new Map<string, Promise<OutgoingLink>>();
  private readonly open = new Map<string, OutgoingLink>();
  private readonly stopping = new AbortController();
  private readonly minding: Loop;

  constructor(
    private readonly replica: Replica,
    private readonly replicas: ReplicaRepository,
    private readonly signed: SignedCalls,
    private readonly nonces: PeerNonceRepository,
    private readonly reach: Reach,
    private readonly certificates: Certificates,
    loops: Loops,
  ) {
    this.minding = loops.make({ name: 'peers', everyMs: MIND_EVERY_MS, turn: (signal) => this.mind(signal) });
    // They were opened in the name of an id that is spent.
    replica.onLost(() => this.closeAll());
  }

  start(): void {
    this.minding.start();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.minding.stop();
    this.closeAll();
  }

  report(): { address: string | null; reachesItself: boolean | null; links: number } {
    return { address: this.replica.internalUrl, reachesItself: this.reach.isProven, links: this.open.size };
  }

  /**
   * Asks another replica over its link.
   *
   * @param address where it is, if that is known without the database
   * @throws CodedError that its handler threw; PeerUnreachable; DatabaseUnavailable where its address cannot be read
   * @throws CallsItself for this replica's own id
   */
  async ask(replicaId: string, ask: Ask, address?: string): Promise<unknown> {
    if (replicaId === this.replica.id) throw new CallsItself();
    const link = await this.linkTo(replicaId, address);
    return link.ask(ask);
  }

  /**
   * A stream for hints to another replica.
   *
   * @throws PeerUnreachable, DatabaseUnavailable, CallsItself
   */
  async openWakes(replicaId: string): Promise<WakeStream> {
    if (replicaId === this.replica.id) throw new CallsItself();
    return (await this.linkTo(replicaId)).openWakes();
  }

  /**
   * Asks another replica to drain and to end.
   *
   * @throws PeerUnreachable, DatabaseUnavailable, CallsItself
   */
  async askToDrain(replicaId: string, path: string): Promise<void> {
    if (replicaId === this.replica.id) throw new CallsItself();
    const address = await this.addressOf(replicaId);
    const call = { address, purpose: 'drain', target: replicaId, path, withinMs: SINGLE_WITHIN_MS } as const;
    const answer: IncomingMessage = await callOnce(this.signed, this.certificates, call);
    // It goes on telling how far it is; that it has begun is enough here.
    answer.destroy();
    if (answer.statusCode !== 200) throw new PeerUnreachable(`it answered ${answer.statusCode ?? 0}`);
  }

  /** Closes the links on which nothing was asked for so long. */
  closeIdle(idleMs: number): void {
    for (const link of this.open.values()) if (link.idleMs >= idleMs) link.close();
  }

  private async linkTo(replicaId: string, known?: string): Promise<OutgoingLink> {
    const link = this.linked(replicaId);
    if (link !== undefined) return link;
    // Before the opening, and no part of it: whoever knows the address is not to wait with one that asks the database.
    const address = known ?? (await shared(this.seeking, replicaId, () => this.addressOf(replicaId)));
    return this.linked(replicaId) ?? shared(this.opening, replicaId, () => this.openTo(replicaId, address));
  }

  private linked(replicaId: string): OutgoingLink | undefined {
    const link = this.open.get(replicaId);
    return link?.isOpen === true ? link : undefined;
  }

  private async openTo(replicaId: string, address: string): Promise<OutgoingLink> {
    const { signal } = this.stopping;
    const caller = this.replica.id;
    const tls = this.certificates.callerFor(address);
    const link = await OutgoingLink.open(this.signed, { address, caller, target: replicaId }, tls, signal);
    if (signal.aborted || caller !== this.replica.id) {
      link.close();
      throw new PeerUnreachable('this replica is not any more who it was');
    }
    this.open.set(replicaId, link);
    link.onClosed(() => {
      if (this.open.get(replicaId) === link) this.open.delete(replicaId);
    });
    return link;
  }

  private async addressOf(replicaId: string): Promise<string> {
    const address = await this.replicas.internalUrl(replicaId);
    if (address === undefined) throw new PeerUnreachable('it is gone, or has told nobody where it is');
    return address;
  }

  private async mind(signal: AbortSignal): Promise<void> {
    this.closeIdle(IDLE_MS);
    for (const link of this.open.values()) link.probe();
    if (this.reach.isProven === false) await this.reach.prove();
    while (!signal.aborted && (await this.nonces.sweep(FORGET_MOST)) === FORGET_MOST);
  }

  private closeAll(): void {
    for (const link of this.open.values()) link.close();
  }
}

/** What is under way for a replica, or else is begun now: those who want the same at once want it once. */
function shared<T>(
  underWay: Map<string, Promise<T>>,
  replicaId: string,
  begin: () => Promise<T>,
): Promise<T> {
  const known = underWay.get(replicaId);
  if (known !== undefined) return known;
  const begun = begin().finally(() => underWay.delete(replicaId));
  underWay.set(replicaId, begun);
  return begun;
}
