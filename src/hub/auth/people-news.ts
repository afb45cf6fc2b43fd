import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';

/** Of whom something has changed; undefined where it may be anybody. */
type Listener = (people: ReadonlySet<string> | undefined) => void;

/**
 * Tells all replicas of whom something has changed that decides whether they are let in: a person who is disabled, a
 * token that is revoked, a role. A replica forgets what it remembers of them, and reads the rows when they come again.
 * Where a hint is lost, what is remembered is up to 30 s old.
 */
@Injectable()
export class PeopleNews {
  private readonly log = new Logger('auth');
  private readonly listeners: Listener[] = [];

  constructor(
    private readonly replica: Replica,
    private readonly wakes: Wakes,
  ) {
    wakes.subscribe({
      onHint: ({ people }) => {
        if (people.size > 0) this.deliver(people);
      },
      onResumed: () => this.deliver(undefined),
    });
  }

  /** Calls back here as soon as it is known on this replica. */
  onChange(listener: Listener): void {
    this.listeners.push(listener);
  }

  /** What was changed and committed. Here it is known at once. */
  async tell(userId: string): Promise<void> {
    const people = new Set([userId]);
    this.deliver(people);
    try {
      for (const { id, state } of await this.replica.list()) {
        if (state !== 'gone' && id !== this.replica.id) this.wakes.tell(id, { people });
      }
    } catch (error) {
      // It is done, and not to be answered as if it were not: the others learn it from the rows within 30 s.
      this.log.warn({ userId, err: error }, 'the other replicas could not be told of a change to a person');
    }
  }

  private deliver(people: ReadonlySet<string> | undefined): void {
    for (const listener of this.listeners) listener(people);
  }
}
