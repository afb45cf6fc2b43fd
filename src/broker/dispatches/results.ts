import { batches } from '../../protocol/batches.js';
import type { Link } from '../connection/link.js';
import type { Journal } from '../journal/journal.js';
import { resultOf } from '../journal/record.js';

/** The links that results may travel on, newest first. */
export type Wire = {
  links(): Link[];
  /** Resolves when the next link opens. */
  linked(): Promise<void>;
};

/** Tells the hub what came of commands. Results that are ready in the same moment travel together. */
export class Results {
  private readonly untold = new Set<string>();
  private isTelling = false;
  private isStopped = false;

  constructor(
    private readonly journal: Journal,
    private readonly wire: Wire,
  ) {}

  /** Tells the result of a command, if it has ended. */
  tell(id: string): void {
    this.untold.add(id);
    if (this.isTelling) return;
    this.isTelling = true;
    setImmediate(() => this.flush());
  }

  /** Nothing is told any more, and nothing read: the journal may close. */
  stop(): void {
    this.isStopped = true;
  }

  private flush(): void {
    this.isTelling = false;
    if (this.isStopped) return;
    const link = this.wire.links().find(({ isOpen }) => isOpen);
    const results = [...this.untold].flatMap((id) => {
      const record = this.journal.findOnDisk(id);
      return (record === undefined ? undefined : resultOf(record)) ?? [];
    });
    this.untold.clear();
    // Without a link they are told after the next inventory.
    if (link === undefined) return;
    for (const part of batches(results, (item) => Buffer.byteLength(JSON.stringify(item)))) {
      link.send({ t: 'result', results: part });
    }
  }
}
