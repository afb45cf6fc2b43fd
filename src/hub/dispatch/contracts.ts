import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { Group } from '../lifecycle/group.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { EndingRepository } from './ending.repository.js';
import { Endings } from './endings.js';
import { LINK_BOUND, type Contract } from './state.js';

const LINKS_AT_ONCE = 1_000;

/** A link that is over, and all before it. */
type Over = { brokerId: string; epoch: number };
type Keyed = { brokerId: string; orderingKey: string | null; contract: Contract | null };
type Bound = Keyed & { id: string; contract: Contract };

/**
 * Ends commands as their callers chose for a broker that is away: those bound to a link when it is over, and those
 * of which only the latest counts when a later one has come. A link's end that nobody could act on, since its
 * replica died, is acted on when the broker's next link opens.
 */
@Injectable()
export class Contracts {
  private readonly log = new Logger('dispatch');
  /** A replica that loses all its brokers at once, or that goes away, ends what was bound to their links together. */
  private readonly lapses = new Group<Over, true>(async (links) => {
    this.endings.committed(await this.repository.lapse(links, this.replica.id));
    return links.map(() => true as const);
  }, LINKS_AT_ONCE);

  constructor(
    private readonly repository: EndingRepository,
    private readonly endings: Endings,
    private readonly links: Links,
    private readonly replica: Replica,
  ) {}

  start(): void {
    this.links.observe({
      opened: () => undefined,
      closed: ({ brokerId, epoch }) => {
        this.lapses.add({ brokerId, epoch }).catch((error: unknown) => {
          this.log.warn(
            { brokerId, epoch, err: error },
            'commands bound to a link wait for the next one to end',
          );
        });
      },
    });
  }

  /** Resolves when what was bound to links that are over has ended, as far as the database took it. */
  async idle(): Promise<void> {
    await this.lapses.idle();
  }

  /** The broker's new link is about to carry work. */
  async attached({ brokerId, epoch }: Link): Promise<void> {
    await this.lapses.add({ brokerId, epoch: epoch - 1 });
    await this.repository.bindToLink(brokerId, epoch);
  }

  /**
   * Of commands that were just stored, claimed, or could not be claimed, ends those of their keys that a later one has
   * replaced, and those whose link was over before they were stored. Where that fails the next claim finds them again, or a sweep.
   */
  async judge(rows: readonly Bound[]): Promise<void> {
    const bound = rows.filter(({ contract }) => LINK_BOUND.includes(contract)).map(({ id }) => id);
    if (bound.length > 0) await this.lapseStale(bound);
    await this.replaced(rows);
  }

  /** Of commands that are pending again, ends those that a later one has replaced meanwhile. */
  async putBack(rows: readonly Keyed[]): Promise<void> {
    await this.replaced(rows);
  }

  private async replaced(rows: readonly Keyed[]): Promise<void> {
    const keys = rows.flatMap(({ brokerId, orderingKey, contract }) =>
      contract === 'latest_only' && orderingKey !== null ? [{ brokerId, orderingKey }] : [],
    );
    if (keys.length === 0) return;
    try {
      this.endings.committed(await this.repository.supersede(keys, this.replica.id));
    } catch (error) {
      this.log.warn({ keys: keys.length, err: error }, 'commands that were replaced could not be ended yet');
    }
  }

  /** Ends what is bound to links that are over: of some commands, or of all. */
  async lapseStale(ids: readonly string[] | null): Promise<void> {
    try {
      this.endings.committed(await this.repository.lapseStale(ids, this.replica.id));
    } catch (error) {
      this.log.warn({ err: error }, 'commands bound to links that are over could not be ended yet');
    }
  }
}
