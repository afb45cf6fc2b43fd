import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { Group } from '../lifecycle/group.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { ConnectionRepository, type Release } from './connection.repository.js';

const AT_ONCE = 1_000;
const AGAIN_MS = 1_000;

/** A link, or what is left of one. */
type Held = Readonly<Omit<Release, 'reason'>>;
type Leaving = { link: Held; reason: string };

/**
 * Lets go of connections whose links have ended, those that end together in one statement. What the database could not
 * take is tried again for as long as this replica lives: a broker that never comes back would otherwise stay owned by a
 * replica that does not hold it, and no sweep would ever judge it.
 */
@Injectable()
export class Releases {
  private readonly log = new Logger('registry');
  /** Of each broker the newest is enough: what it had before cannot be held any more. */
  private readonly due = new Map<string, Leaving>();
  private readonly underWay = new Set<Leaving>();
  private readonly group = new Group<Leaving, true>(async (leaving) => {
    await this.repository.release(
      this.replica.id,
      leaving.map(({ link: { brokerId, epoch, silenceMs }, reason }) => ({
        brokerId,
        epoch,
        reason,
        silenceMs,
      })),
    );
    return leaving.map(() => true as const);
  }, AT_ONCE);
  private readonly loop: Loop;

  constructor(
    private readonly repository: ConnectionRepository,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loop = loops.make({
      name: 'releases',
      everyMs: AGAIN_MS,
      faultCapMs: AGAIN_MS,
      turn: () => this.again(),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.group.idle();
  }

  /** Resolves when it is written, or left to a later try; never rejects. */
  async add(link: Held, reason: string): Promise<void> {
    const leaving = { link, reason };
    this.underWay.add(leaving);
    try {
      await this.group.add(leaving);
    } catch (error) {
      this.due.set(link.brokerId, leaving);
      this.log.warn(
        { brokerId: link.brokerId, err: error },
        'a connection could not be released; it is tried again',
      );
    } finally {
      this.underWay.delete(leaving);
    }
  }

  /** The brokers of which something is being let go of, and those that rows may still call held here. */
  get brokerIds(): Set<string> {
    const ids = new Set(this.due.keys());
    for (const { link } of this.underWay) ids.add(link.brokerId);
    return ids;
  }

  private async again(): Promise<void> {
    const due = [...this.due.values()];
    await Promise.all(
      due.map(async (leaving) => {
        await this.group.add(leaving);
        if (this.due.get(leaving.link.brokerId) === leaving) this.due.delete(leaving.link.brokerId);
      }),
    );
    if (due.length > 0) this.log.log({ brokers: due.length }, 'connections were released late');
  }
}
