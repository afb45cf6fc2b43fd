import { Injectable } from '@nestjs/common';
import { ARRIVALS_REST_MS } from '../lifecycle/arrivals.js';
import { Group } from '../lifecycle/group.js';
import { BrokerRepository } from './broker.repository.js';

export type Standing = 'welcome' | 'revoked' | 'unknown';

/** A statement's worth; the others wait for the next. */
const AT_ONCE = 500;

/**
 * Whether brokers that come to the door are still wanted. It is read each time, since a revocation holds from its commit
 * on; a fleet that comes at once asks with one statement at a time, and each of them reads for all that came meanwhile.
 */
@Injectable()
export class Standings {
  private readonly group = new Group<string, Standing>(
    async (brokerIds) => {
      const standings = await this.repository.standings([...new Set(brokerIds)]);
      return brokerIds.map((id) => standings.get(id) ?? 'unknown');
    },
    AT_ONCE,
    ARRIVALS_REST_MS,
  );

  constructor(private readonly repository: BrokerRepository) {}

  /** @throws DatabaseUnavailable where nobody can tell */
  of(brokerId: string): Promise<Standing> {
    return this.group.add(brokerId);
  }
}
