import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { DatabaseUnavailable, isLockTimeout } from '../database/database.errors.js';
import { ARRIVALS_REST_MS } from '../lifecycle/arrivals.js';
import { Lanes } from '../lifecycle/lanes.js';
import { ConnectRepository, type Coming, type Connected } from './connect.repository.js';

/** A statement's worth; the others wait for the next. */
const AT_ONCE = 100;
/** Each keeps a connection of the pool while it waits for its turn. */
const SINGLES_AT_ONCE = 3;

/**
 * Takes connections for this replica, those of a fleet that comes at once in one transaction. Whoever would have to wait
 * for its turn or its rows keeps nobody else waiting for long, and neither does what the database takes of no other: those
 * are taken one by one.
 */
@Injectable()
export class Connects {
  private readonly log = new Logger('registry');
  private readonly group = new Lanes<Coming, Connected>(
    (comings) => this.take(comings),
    AT_ONCE,
    ARRIVALS_REST_MS,
  );
  private singles = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly repository: ConnectRepository,
    private readonly replica: Replica,
  ) {}

  /** Committed when it resolves. @throws DatabaseUnavailable */
  add(coming: Coming): Promise<Connected> {
    return this.group.add(coming);
  }

  private async take(comings: readonly Coming[]): Promise<(Connected | Promise<Connected>)[]> {
    const first = new Map(comings.map((coming) => [coming.brokerId, coming] as const).reverse());
    const connected = await this.takeFree([...first.values()]);
    return comings.map((coming) => {
      const found = first.get(coming.brokerId) === coming ? connected.get(coming.brokerId) : undefined;
      return found ?? this.takeSingly(coming);
    });
  }

  private async takeFree(comings: readonly Coming[]): Promise<Map<string, Connected>> {
    try {
      return await this.repository.connectFree(this.replica.id, comings);
    } catch (error) {
      if (error instanceof DatabaseUnavailable && !isLockTimeout(error)) throw error;
      this.log.warn({ brokers: comings.length, err: error }, 'brokers are connected one by one');
      return new Map();
    }
  }

  private async takeSingly(coming: Coming): Promise<Connected> {
    if (this.singles === SINGLES_AT_ONCE) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.singles += 1;
    try {
      return await this.repository.connect(this.replica.id, coming);
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.singles -= 1;
      else next();
    }
  }
}
