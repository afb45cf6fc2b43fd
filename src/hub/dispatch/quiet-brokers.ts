import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { ARRIVALS_REST_MS } from '../lifecycle/arrivals.js';
import { Lanes } from '../lifecycle/lanes.js';
import type { Link } from '../registry/link.js';
import { QuietRepository, type Arrival } from './quiet.repository.js';

const AT_ONCE = 512;

/**
 * Finds the brokers for which an inventory changes nothing, those that arrive together in one statement. After a crash
 * thousands come within a minute, nearly all of them such: a few statements for each would keep them waiting.
 */
@Injectable()
export class QuietBrokers {
  private readonly group = new Lanes<Arrival, number | undefined>(
    (arrivals) => this.markReady(arrivals),
    AT_ONCE,
    ARRIVALS_REST_MS,
  );

  constructor(
    private readonly repository: QuietRepository,
    private readonly replica: Replica,
  ) {}

  /**
   * @returns the floor of the broker's rows, where nothing is out with it and nothing bound to a link: then the link is
   *   noted as ready. Undefined where its rows must be judged, or where the link does not own it.
   * @throws ReplicaFenced, DatabaseUnavailable: then it may be asked again
   */
  async floorOf({ brokerId, epoch }: Link): Promise<number | undefined> {
    return this.group.add({ brokerId, epoch });
  }

  private async markReady(arrivals: readonly Arrival[]): Promise<(number | undefined)[]> {
    // They may have waited for those before them.
    this.replica.assertMayAct();
    const quiet = await this.repository.markReady(this.replica.id, arrivals);
    const found = new Map(quiet.map((one) => [one.brokerId, one]));
    // Two links of one broker may be among them, of which one is over.
    return arrivals.map(({ brokerId, epoch }) => {
      const one = found.get(brokerId);
      return one?.epoch === epoch ? one.floor : undefined;
    });
  }
}
