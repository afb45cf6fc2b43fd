import { Injectable, Logger } from '@nestjs/common';
import type { Loop } from '../../lifecycle/loop.js';
import { Loops } from '../../lifecycle/loops.js';
import { within } from '../../lifecycle/within.js';
import { Replica } from '../replica.js';
import { ReplicaRepository } from '../replica.repository.js';
import { PeerDoor } from './door.js';
import { Peers } from './peers.js';

const LOOK_MS = 500;
/** What is known of the others may be this old when the database goes. */
const KNOWN_MS = 5_000;
/** A database that hangs is not to hold up the look for longer. */
const READ_WITHIN_MS = 1_000;
/** A beat is due each second, and has a second for its answer. */
const RENEWED_WITHIN_MS = 2_500;
const ANSWER_WITHIN_MS = 4_000;
const CALL = 'database';

/**
 * Whether this replica is the only one that has lost the database. One that could not renew for 4 s asks the others, at the
 * addresses that it read while it could; none of them can be asked by way of the database now.
 *
 *     renewing --4 s--> fenced --a peer renews--> alone (listeners are called, once)
 *        ^                |  ^----none does-----|    |
 *        +----renewed-----+----------renewed---------+
 *
 * A peer answers with its next good beat, and not from memory: when the database goes, it goes for all within a second, and
 * what one of them had a moment ago says nothing. After a yes this one has as long for a beat of its own.
 */
@Injectable()
export class Isolation {
  private readonly log = new Logger('cluster');
  private peers: { id: string; url: string }[] = [];
  private readAt = -Infinity;
  private alone = false;
  private readonly listeners: (() => void)[] = [];
  private readonly loop: Loop;

  constructor(
    private readonly replica: Replica,
    private readonly repository: ReplicaRepository,
    private readonly links: Peers,
    door: PeerDoor,
    loops: Loops,
  ) {
    door.serve(CALL, async () => ({ renews: await replica.renewed(RENEWED_WITHIN_MS) }));
    this.loop = loops.make({
      name: 'isolation',
      everyMs: LOOK_MS,
      faultCapMs: LOOK_MS,
      turn: () => this.look(),
    });
  }

  /** Calls back when the fault is found to be this replica's own: it is of no use to its brokers, and others are. */
  onAlone(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Whether another replica has the database, and this one has not. */
  get isAlone(): boolean {
    return this.alone && !this.replica.mayAct;
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  private async look(): Promise<void> {
    if (this.replica.mayAct) {
      this.alone = false;
      if (performance.now() - this.readAt > KNOWN_MS) await this.read();
    } else if (!this.alone) {
      const renewing = await this.findRenewing();
      // At the end of an outage one has the database a moment sooner than the others, as has a process that was only paused.
      if (renewing === undefined || (await this.replica.renewed(RENEWED_WITHIN_MS))) return;
      this.alone = true;
      this.log.warn({ peer: renewing }, 'another replica has the database, and this one has not');
      for (const listener of this.listeners) listener();
    }
  }

  private async read(): Promise<void> {
    const peers = await within(READ_WITHIN_MS, this.repository.internalUrls(this.replica.id));
    if (peers === undefined) return;
    this.peers = peers;
    this.readAt = performance.now();
  }

  /** Whoever says first that it renews; a peer that is gone, or has no database to take our call by, says nothing. */
  private async findRenewing(): Promise<string | undefined> {
    const ask = async ({ id, url }: { id: string; url: string }): Promise<string> => {
      const call = { name: CALL, body: null, withinMs: ANSWER_WITHIN_MS };
      const answer = (await this.links.ask(id, call, url)) as { renews?: unknown } | null;
      if (answer?.renews !== true) throw new Error('it has no database either');
      return id;
    };
    return Promise.any(this.peers.map(ask)).catch(() => undefined);
  }
}
