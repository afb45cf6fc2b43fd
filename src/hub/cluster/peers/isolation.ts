import { Injectable, Logger } from '@nestjs/common';
import { Database } from '../../database/database.js';
import { ANSWER_WITHIN_MS as STATEMENT_WITHIN_MS, CONNECT_WITHIN_MS } from '../../database/session.js';
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
/** A beat is due each second, and has a second for its answer; something is asked on the pool every half second. */
const RENEWED_WITHIN_MS = 2_500;
const ANSWER_WITHIN_MS = 4_000;
/** A replica of whose pool nothing is answered for this long has lost it, as far as it can tell. */
const SILENT_AFTER_MS = 4_000;
/** At the end of an outage of all, what hangs on a dead connection is given up and asked anew by then, on whichever replica. */
const POOL_BACK_WITHIN_MS = CONNECT_WITHIN_MS + STATEMENT_WITHIN_MS;
const CALL = 'database';

/**
 * Whether this replica is the only one that has lost the database: the way of its beats, or that of its pool, on which all its
 * work is done. One that could not renew for 4 s asks the others, at the addresses that it read while it could; none of them
 * can be asked by way of the database now.
 *
 *     renewing --4 s--> not renewing --a peer renews--> alone (listeners are called, once)
 *        ^                |  ^----none does-----|         |
 *        +----renewed-----+----------renewed--------------+
 *
 * A peer answers with its next good beat and its next answer on the pool, and not from memory: when the database goes, it goes
 * for all within a second, and what one of them had a moment ago says nothing. After a yes this one has as long for the same.
 * Where its beats go on and the pool alone is silent nobody takes its brokers from it, and nothing is in a hurry: a peer must say
 * yes for as long as a pool may need to come back.
 */
@Injectable()
export class Isolation {
  private readonly log = new Logger('cluster');
  private peers: { id: string; url: string }[] = [];
  private readAt = -Infinity;
  /** Since when peers have said yes, each time that they were asked. */
  private behindSince: number | undefined;
  private alone = false;
  private readonly listeners: (() => void)[] = [];
  private readonly loop: Loop;

  constructor(
    private readonly replica: Replica,
    private readonly repository: ReplicaRepository,
    private readonly database: Database,
    private readonly links: Peers,
    door: PeerDoor,
    loops: Loops,
  ) {
    door.serve(CALL, async () => ({ renews: await this.renewed() }));
    this.loop = loops.make({
      name: 'isolation',
      everyMs: LOOK_MS,
      faultCapMs: LOOK_MS,
      turn: (signal) => this.look(signal),
    });
  }

  /** Calls back when the fault is found to be this replica's own: it is of no use to its brokers, and others are. */
  onAlone(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Whether another replica has the database, and this one has not. */
  get isAlone(): boolean {
    return this.alone && !this.renews;
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  private get renews(): boolean {
    return this.replica.mayAct && this.database.answers.isWithin(SILENT_AFTER_MS);
  }

  private async renewed(): Promise<boolean> {
    const ways = [this.replica.renewed(RENEWED_WITHIN_MS), this.database.answers.again(RENEWED_WITHIN_MS)];
    return (await Promise.all(ways)).every((isGood) => isGood);
  }

  private async look(signal: AbortSignal): Promise<void> {
    if (this.renews) {
      this.alone = false;
      this.behindSince = undefined;
      if (performance.now() - this.readAt > KNOWN_MS) await this.read();
    } else if (!this.alone) {
      const askedAt = performance.now();
      const renewing = await this.findRenewing(signal);
      // At the end of an outage one has the database a moment sooner than the others, as has a process that was only paused.
      if (renewing === undefined || (await this.renewed())) {
        this.behindSince = undefined;
        return;
      }
      this.behindSince ??= askedAt;
      if (this.replica.mayAct && performance.now() - this.behindSince < POOL_BACK_WITHIN_MS) return;
      this.alone = true;
      const lost = this.replica.mayAct ? 'its pool' : 'its beats';
      this.log.warn({ peer: renewing, lost }, 'another replica has the database, and this one has not');
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
  private async findRenewing(signal: AbortSignal): Promise<string | undefined> {
    const ask = async ({ id, url }: { id: string; url: string }): Promise<string> => {
      const call = { name: CALL, body: null, withinMs: ANSWER_WITHIN_MS, signal };
      const answer = (await this.links.ask(id, call, url)) as { renews?: unknown } | null;
      if (answer?.renews !== true) throw new Error('it has no database either');
      return id;
    };
    return Promise.any(this.peers.map(ask)).catch(() => undefined);
  }
}
