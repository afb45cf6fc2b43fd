import { Injectable, Logger } from '@nestjs/common';
import { batches } from '../../protocol/batches.js';
import type { FrameOf, InventoryEntry } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { Replica } from '../cluster/replica.js';
import type { Link } from '../registry/link.js';
import { Ownership } from '../registry/ownership.js';
import { Backlogs } from './backlogs.js';
import { Contracts } from './contracts.js';
import { Endings } from './endings.js';
import { FloorRepository } from './floor.repository.js';
import { InventoryRepository, type Adopted } from './inventory.repository.js';
import { QuietBrokers } from './quiet-brokers.js';
import { hasEnded } from './state.js';
import { Steps } from './steps.js';

const RETRY_MS = 500;

/**
 * Compares what a broker's journal knows with the rows that are out with it, once a link and before anything is
 * claimed on it: this is the moment at which commands of a lost owner are judged. What the broker still has of
 * commands that are over here, or that were never known, it may forget where that ended, and is asked to stop where
 * it runs.
 */
@Injectable()
export class Inventories {
  private readonly log = new Logger('dispatch');
  private readonly gathered = new WeakMap<Link, InventoryEntry[]>();
  private readonly done = new WeakSet<Link>();

  constructor(
    private readonly repository: InventoryRepository,
    private readonly quiet: QuietBrokers,
    private readonly floors: FloorRepository,
    private readonly backlogs: Backlogs,
    private readonly contracts: Contracts,
    private readonly endings: Endings,
    private readonly steps: Steps,
    private readonly ownership: Ownership,
    private readonly replica: Replica,
  ) {}

  /** @throws ProtocolError for an inventory after the last chunk, or one that is too long */
  async took(link: Link, chunk: FrameOf<'inventory'>): Promise<void> {
    if (this.done.has(link)) throw new ProtocolError('an inventory after its last chunk');
    const entries = [...(this.gathered.get(link) ?? []), ...chunk.entries];
    if (entries.length > LIMITS.inventoryEntries)
      throw new ProtocolError(`an inventory has at most ${LIMITS.inventoryEntries} entries`);
    this.gathered.set(link, entries);
    if (!chunk.last) return;
    this.gathered.delete(link);
    this.done.add(link);
    // Of an id that is told twice the last word counts; two would meet in one statement.
    const latest = new Map(entries.map((entry) => [entry.id, entry]));
    await this.reconcileUntilDone(link, [...latest.values()]);
  }

  private async reconcileUntilDone(link: Link, entries: readonly InventoryEntry[]): Promise<void> {
    while (link.carriesWork) {
      try {
        this.replica.assertMayAct();
        if (await this.reconcile(link, entries)) return;
      } catch (error) {
        this.log.warn(
          { brokerId: link.brokerId, err: error },
          'an inventory could not be compared; it waits',
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * (0.5 + Math.random())));
    }
  }

  /** @returns false where the row does not say that this link owns the broker; if it is so, the link is closed */
  private async reconcile(link: Link, entries: readonly InventoryEntry[]): Promise<boolean> {
    const { brokerId, epoch } = link;
    const quietFloor = await this.quiet.floorOf(link);
    const adopted = quietFloor === undefined ? await this.judged(link, entries) : [];
    if (adopted === undefined) return false;
    const held = adopted.filter(({ verdict }) => verdict === 'adopt');
    const over = await this.entriesOver(brokerId, entries);
    const [unwanted, forgettable] = [over.filter(isRunning), over.filter((entry) => !isRunning(entry))];
    const floor = quietFloor ?? (await this.bound(link));
    if (adopted.length > 0 || entries.length > 0) {
      const verdicts = countVerdicts(adopted);
      const counts = { entries: entries.length, verdicts, unwanted: unwanted.length };
      this.log.log({ brokerId, epoch, ...counts }, 'took an inventory');
    }
    // Before the broker goes on with anything that it had not begun. Of those that are over nobody waits for what they come to, and no
    // owner would ask again: each is confirmed by its result.
    const givenUp = held.filter(({ cancelRequested }) => cancelRequested);
    for (const some of batches([...givenUp, ...unwanted]))
      link.send({ t: 'cancel', cancels: some.map(({ id, attempt }) => ({ id, attempt })) });
    link.send({ t: 'inventory_ok' });
    for (const some of batches(forgettable)) link.send({ t: 'confirm', ids: some.map(({ id }) => id) });
    this.backlogs.ready(link, held, floor);
    return true;
  }

  /** @returns undefined where the row does not say that this link owns the broker */
  private async judged(link: Link, entries: readonly InventoryEntry[]): Promise<Adopted[] | undefined> {
    const { brokerId, epoch, facts } = link;
    const owner = { brokerId, epoch, replicaId: this.replica.id, journalId: facts.journalId };
    this.backlogs.judging(link);
    const adopted = await this.repository.reconcile(owner, entries);
    if (adopted === undefined) {
      await this.ownership.recheck([brokerId]);
      return undefined;
    }
    // At once: a repeat of this does not meet them again.
    this.endings.committed(adopted.filter(({ state }) => hasEnded(state)));
    this.steps.tell(
      'adopted',
      adopted.filter(({ verdict }) => verdict === 'adopt'),
    );
    this.steps.tell(
      'put_back',
      adopted.filter(({ verdict }) => verdict === 'requeue'),
    );
    return adopted;
  }

  /** Ends or binds what waited for this link. @returns the floor of the broker's rows */
  private async bound(link: Link): Promise<number> {
    await this.contracts.attached(link);
    return this.floors.read(link.brokerId);
  }

  /** What the broker has and no live row speaks of: it has ended here, or was never known. */
  private async entriesOver(brokerId: string, entries: readonly InventoryEntry[]): Promise<InventoryEntry[]> {
    if (entries.length === 0) return [];
    const ids = await this.repository.notLive(
      brokerId,
      entries.map(({ id }) => id),
    );
    return entries.filter(({ id }) => ids.has(id));
  }
}

function isRunning({ status }: InventoryEntry): boolean {
  return status === 'running';
}

function countVerdicts(adopted: readonly { verdict: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verdict } of adopted) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}
