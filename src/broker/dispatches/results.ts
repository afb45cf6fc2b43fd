/**
 * Tells the hub what came of commands.
 *
 *   told of --> untold (its id alone) --the link is in step: read from the journal--> on the newest link --confirm--> over
 *
 * Results that are ready in the same moment travel together, and those that are many part by part, as the hub takes them:
 * of what a broker could not tell for a long time neither its memory nor a link must hold all at once. Nothing is lost
 * with a link: what was not confirmed is told again on the next one.
 */
import { LIMITS } from '../../protocol/limits.js';
import type { ResultItem } from '../../protocol/frame.js';
import type { Link } from '../connection/link.js';
import { AHEAD_BYTES } from '../connection/pace.js';
import type { Journal } from '../journal/journal.js';
import { resultOf } from '../journal/record.js';

/** The links that results may travel on, newest first. */
export type Wire = {
  links(): Link[];
  /** Resolves when the hub has compared its rows with the inventory of a next link. */
  linked(): Promise<void>;
};

export class Results {
  /** In the order in which they are to be told, each with whether it is also where the hub has confirmed it meanwhile. */
  private readonly untold = new Map<string, boolean>();
  private isTelling = false;
  private isStopped = false;
  /** The link that is behind, and goes on with this once it is not. */
  private awaited: Link | undefined;

  constructor(
    private readonly journal: Journal,
    private readonly wire: Wire,
  ) {}

  /** Tells the result of a command, if it has ended. */
  tell(id: string): void {
    this.untold.set(id, true);
    this.goOn();
  }

  /** As `tell`, unless the hub confirms it sooner. */
  tellAgain(id: string): void {
    if (!this.untold.has(id)) this.untold.set(id, false);
    this.goOn();
  }

  /** Nothing is told any more, and nothing read: the journal may close. */
  stop(): void {
    this.isStopped = true;
  }

  /** Each part in a turn of its own, so that frames are read between them. */
  private goOn(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    setImmediate(() => {
      this.isTelling = false;
      if (!this.isStopped && this.untold.size > 0) this.tellPart();
    });
  }

  private tellPart(): void {
    const link = this.wire.links().find(({ isOpen }) => isOpen);
    if (link === undefined) {
      // Without a link they are told after the next inventory.
      this.untold.clear();
      return;
    }
    if (link.pace.isBehind) {
      this.goOnWith(link);
      return;
    }
    const results = this.nextPart();
    if (results.length > 0) link.send({ t: 'result', results });
    if (this.untold.size > 0) this.goOn();
  }

  /** What is told meanwhile may find a newer link, which does not wait for this one. */
  private goOnWith(link: Link): void {
    if (this.awaited === link) return;
    this.awaited = link;
    void link.pace.caughtUp().then(() => {
      if (this.awaited === link) this.awaited = undefined;
      this.goOn();
    });
  }

  /** It ends with the result that makes it large enough, so that none is read twice; a frame takes one of any size more. */
  private nextPart(): ResultItem[] {
    const part: ResultItem[] = [];
    let bytes = 0;
    for (const [id, isAsked] of this.untold) {
      if (bytes >= AHEAD_BYTES || part.length === LIMITS.batch) break;
      this.untold.delete(id);
      const record = this.journal.findOnDisk(id);
      const isOver = record?.confirmedAt != null && !isAsked;
      const result = record === undefined || isOver ? undefined : resultOf(record);
      if (result === undefined) continue;
      part.push(result);
      bytes += Buffer.byteLength(JSON.stringify(result));
    }
    return part;
  }
}
