import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { DatabaseUnavailable } from '../database/database.errors.js';
import { ARRIVALS_REST_MS } from '../lifecycle/arrivals.js';
import { Group } from '../lifecycle/group.js';
import { ConnectRepository, type Coming, type Connected } from './connect.repository.js';

/** A statement's worth; the others wait for the next. */
const AT_ONCE = 100;

/**
 * Takes connections for this replica, those of a fleet that comes at once in one transaction. Whoever would have to wait
 * for its turn keeps nobody else waiting, and neither does what the database takes of no other.
 */
@Injectable()
export class Connects {
  private readonly group = new Group<Coming, Connected>(
    (comings) => this.take(comings),
    AT_ONCE,
    ARRIVALS_REST_MS,
  );

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
      return found ?? this.repository.connect(this.replica.id, coming);
    });
  }

  private async takeFree(comings: readonly Coming[]): Promise<Map<string, Connected>> {
    try {
      return await this.repository.connectFree(this.replica.id, comings);
    } catch (error) {
      if (error instanceof DatabaseUnavailable) throw error;
      return new Map();
    }
  }
}
