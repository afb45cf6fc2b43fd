import { Injectable } from '@nestjs/common';
import type { Scope } from '../auth/scope.js';
import { Replica } from '../cluster/replica.js';
import { Brokers } from './brokers.js';
import { wayBackOf, type WayBack } from './way-back.js';

/** How brokers come to be linked again. */
@Injectable()
export class WaysBack {
  constructor(
    private readonly brokers: Brokers,
    private readonly replica: Replica,
  ) {}

  /** @throws NotFound */
  async of(idOrName: string, scope: Scope): Promise<WayBack> {
    const broker = await this.brokers.get(await this.brokers.within(scope, idOrName));
    const { address } = this.replica;
    return wayBackOf(broker, address === null ? [] : [address]);
  }
}
