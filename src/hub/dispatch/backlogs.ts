import { Injectable } from '@nestjs/common';
import { OPS_HELD_TO_ACK } from '../../protocol/op.js';
import { Wakes } from '../cluster/wakes.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { Backlog } from './backlog.js';
import type { Sent } from './sent.js';
import type { Adopted } from './inventory.repository.js';
import { readCommandCopy } from './row-copy.js';
import { Steps } from './steps.js';

/** The backlogs of all brokers linked to this replica, and what changes them from outside. */
@Injectable()
export class Backlogs {
  private readonly byBroker = new Map<string, Backlog>();
  /** Of many brokers few have rows at a time. Those that are behind, and those that hold rows, are among these. */
  private readonly lately = { behind: new Set<Backlog>(), holding: new Set<Backlog>() };
  private onWork: () => void = () => undefined;
  private onLost: () => void = () => undefined;

  constructor(
    private readonly links: Links,
    private readonly wakes: Wakes,
    private readonly steps: Steps,
  ) {}

  /**
   * @param onWork there may be something to send
   * @param onLost hints may have been lost: everything is to be looked at
   */
  start(onWork: () => void, onLost: () => void): void {
    this.onWork = onWork;
    this.onLost = onLost;
    this.links.observe({
      opened: (link) => {
        this.part(this.byBroker.get(link.brokerId));
        const backlog: Backlog = new Backlog(link, () => this.noteRows(backlog));
        this.byBroker.set(link.brokerId, backlog);
        this.noteRows(backlog);
      },
      closed: (link) => {
        const backlog = this.byBroker.get(link.brokerId);
        if (backlog?.link !== link) return;
        this.byBroker.delete(link.brokerId);
        this.part(backlog);
      },
    });
    this.wakes.subscribe({
      onHint: ({ brokers, commands, ended, cancelled }) => {
        for (const [brokerId, seq] of brokers) this.wake(brokerId, seq);
        if (commands.size > 0) this.told(commands);
        if (ended.size === 0 && cancelled.size === 0) return;
        for (const backlog of this.holding()) {
          for (const id of ended) backlog.ended(id);
          for (const id of cancelled) backlog.cancelRequested(id);
        }
        this.onWork();
      },
      onResumed: () => this.onLost(),
    });
  }

  /** The backlog of a broker that is linked to this replica. */
  of(brokerId: string): Backlog | undefined {
    return this.byBroker.get(brokerId);
  }

  all(): Backlog[] {
    return [...this.byBroker.values()];
  }

  /** Those of which something is to be read, claimed or sent. */
  behind(): Backlog[] {
    return this.stillOf(this.lately.behind, ({ isBehind }) => isBehind);
  }

  /** Those of which rows wait or are out, as far as is known. */
  holding(): Backlog[] {
    return this.stillOf(this.lately.holding, ({ holdsRows }) => holdsRows);
  }

  private noteRows(backlog: Backlog): void {
    // A read may have been under way as its link ended.
    if (this.byBroker.get(backlog.brokerId) !== backlog) return;
    this.lately.behind.add(backlog);
    this.lately.holding.add(backlog);
  }

  private stillOf(lately: Set<Backlog>, isStill: (backlog: Backlog) => boolean): Backlog[] {
    for (const backlog of lately) if (!isStill(backlog)) lately.delete(backlog);
    return [...lately];
  }

  /** Whether the broker's newest link, as far as is known here, is on this replica. */
  has(brokerId: string): boolean {
    return this.byBroker.has(brokerId);
  }

  /** The broker has new rows, or rows that were put back, from this `seq` on. */
  wake(brokerId: string, seq: number): void {
    const backlog = this.byBroker.get(brokerId);
    if (backlog === undefined) return;
    backlog.woken(seq);
    this.onWork();
  }

  /** What is out with a broker whose link is over is held by nobody, until its inventory speaks on the next one. */
  private part(backlog: Backlog | undefined): void {
    if (backlog === undefined) return;
    this.lately.behind.delete(backlog);
    this.lately.holding.delete(backlog);
    this.steps.tell('released', backlog.out.all);
  }

  private told(commands: ReadonlyMap<string, unknown>): void {
    const now = performance.now();
    for (const [id, told] of commands) {
      const copy = readCommandCopy(told);
      if (copy !== undefined) this.byBroker.get(copy.brokerId)?.told(id, copy, now);
    }
    this.onWork();
  }

  /** The broker's inventory is about to be compared with the rows. */
  judging(link: Link): void {
    const backlog = this.byBroker.get(link.brokerId);
    if (backlog?.link === link) backlog.judging();
  }

  /** The broker's inventory is settled: its rows may be claimed, and none is alive below the floor. */
  ready(link: Link, adopted: readonly Adopted[], floor: number): void {
    const backlog = this.byBroker.get(link.brokerId);
    if (backlog?.link !== link) return;
    const now = performance.now();
    backlog.beginAt(floor);
    for (const row of adopted) backlog.adopted({ ...row, deadlineAt: now + row.remainingMs });
    backlog.isReady = true;
    this.onWork();
  }

  /** @returns the acks by which commands let go of their ordering keys: the next of a key waits for their rows */
  acked<A extends { id: string; attempt: number }>(brokerId: string, acks: readonly A[]): A[] {
    const backlog = this.byBroker.get(brokerId);
    const freeing: A[] = [];
    const taken: Sent[] = [];
    for (const ack of acks) {
      const sent = backlog?.acked(ack.id, ack.attempt);
      if (sent === undefined) continue;
      taken.push(sent);
      if (OPS_HELD_TO_ACK.includes(sent.op)) freeing.push(ack);
    }
    this.steps.tell('acked', taken);
    this.madeWay(backlog);
    return freeing;
  }

  /** Rows that run, and hold their keys no more. */
  freeKeys(brokerId: string, ids: readonly string[]): void {
    const backlog = this.byBroker.get(brokerId);
    for (const id of ids) backlog?.out.freeKey(id);
    this.madeWay(backlog);
  }

  /** They ended, whoever ended them: what waited for one that held its key, even at rest, may go on. */
  ended(rows: readonly { id: string; brokerId: string }[]): void {
    for (const { id, brokerId } of rows) {
      const backlog = this.byBroker.get(brokerId);
      if (backlog?.ended(id) === true) this.madeWay(backlog);
    }
  }

  letGo(brokerId: string, ids: readonly string[]): void {
    const backlog = this.byBroker.get(brokerId);
    for (const id of ids) backlog?.letGo(id);
    this.madeWay(backlog);
  }

  /** Where nothing of this broker waits, a round is spared for each of its words. */
  private madeWay(backlog: Backlog | undefined): void {
    if (backlog?.isBehind === true) this.onWork();
  }

  /** Whether this very attempt is out on this very link. */
  isOut(link: Link, id: string, attempt: number): boolean {
    const backlog = this.byBroker.get(link.brokerId);
    return backlog?.link === link && backlog.out.isHeld(id, attempt);
  }

  /** What is out with a broker, or undefined where nothing is. */
  outOf(brokerId: string): { link: Link; ids: string[] } | undefined {
    const backlog = this.byBroker.get(brokerId);
    return backlog === undefined || backlog.out.size === 0
      ? undefined
      : { link: backlog.link, ids: backlog.out.ids };
  }

  depth(): { waiting: number; unacked: number; out: number } {
    const total = { waiting: 0, unacked: 0, out: 0 };
    for (const { depth } of this.byBroker.values()) {
      total.waiting += depth.waiting;
      total.unacked += depth.unacked;
      total.out += depth.out;
    }
    return total;
  }
}
