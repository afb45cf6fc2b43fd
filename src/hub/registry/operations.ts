import { Injectable, Logger } from '@nestjs/common';
import { BrokerKeys } from '../auth/broker-keys.js';
import type { Run } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import type { BrokerRow } from './broker.repository.js';
import { Brokers } from './brokers.js';
import { BrokerCordoned, BrokerDraining, BrokerNotConnected, TooManyLabels } from './operation.errors.js';
import { OperationRepository, type BrokerChange } from './operation.repository.js';
import { Ownership } from './ownership.js';
import { RevisionStale } from './project.errors.js';
import { BrokerRevoked } from './registry.errors.js';

/**
 * What an operator does with brokers. All of it is safe to repeat, and each change leaves a line in the log that says
 * who asked for it. A kick and a revocation take the ownership away in the rows first, in turn with connects and claims:
 * from the commit on nothing is claimed for that link, and the replica that holds it hears of it and cuts it.
 */
@Injectable()
export class Operations {
  private readonly log = new Logger('registry');

  constructor(
    private readonly repository: OperationRepository,
    private readonly brokers: Brokers,
    private readonly ownership: Ownership,
    private readonly keys: BrokerKeys,
  ) {}

  /** No new agents are placed on it from now on. @throws NotFound, BrokerRevoked */
  async cordon(broker: string, by: string): Promise<BrokerRow> {
    return this.alive(await this.change('cordoned', broker, by, (id) => this.repository.cordon(id)));
  }

  /** Nothing is started on it from now on, and its agents are stopped. @throws NotFound, BrokerRevoked */
  async drain(broker: string, by: string): Promise<BrokerRow> {
    return this.alive(await this.change('to be drained', broker, by, (id) => this.repository.drain(id)));
  }

  /** Back into service, whatever took it out. @throws NotFound */
  async uncordon(broker: string, by: string): Promise<BrokerRow> {
    return this.change('put into service', broker, by, (id) => this.repository.uncordon(id));
  }

  /**
   * Changes its name, or labels that it is given, if it is still of the revision that the caller has read.
   *
   * @throws NotFound, RenameRefused, RevisionStale, TooManyLabels
   */
  async update(
    broker: string,
    revision: number | null,
    change: BrokerChange,
    by: string,
  ): Promise<BrokerRow> {
    return this.change('changed', broker, by, async (id) => {
      if (await this.repository.update(id, revision, change)) return true;
      const { revision: stored } = await this.brokers.get(id);
      throw revision === null || revision === stored ? new TooManyLabels() : new RevisionStale(stored);
    });
  }

  /**
   * Ends its connection; it connects again.
   *
   * @param reason in printable ASCII; the broker reads it in the close of its link
   * @throws NotFound, BrokerNotConnected
   */
  async kick(broker: string, reason: string | undefined, by: string): Promise<BrokerRow> {
    return this.change('kicked', broker, by, async (id) => {
      if (!(await this.ownership.kick(id, reason))) {
        await this.brokers.get(id);
        throw new BrokerNotConnected();
      }
      return true;
    });
  }

  /** For ever: its key is retired, its link is cut wherever it is, and it is admitted nowhere. @throws NotFound */
  async revoke(broker: string, by: string): Promise<BrokerRow> {
    return this.change('revoked', broker, by, async (id) => {
      return this.ownership.shutOut(id, async (run) => {
        await this.keys.retireAll(run, id);
        return this.repository.revoke(run, id);
      });
    });
  }

  /**
   * Holds a broker that is to be given an agent, or to start one, until the end of the transaction.
   *
   * @throws NotFound, BrokerCordoned, BrokerDraining
   */
  async admit(run: Run, brokerId: string, to: 'create' | 'start'): Promise<void> {
    const held = await this.repository.hold(run, brokerId);
    if (held === undefined) throw new NotFound('broker');
    if (held.drainingAt !== null) throw new BrokerDraining();
    if (to === 'create' && held.cordonedAt !== null) throw new BrokerCordoned();
  }

  /** Notes brokers on which nothing was found to run any more, each under the revision that it had then. */
  async drained(seen: readonly { brokerId: string; revision: number }[]): Promise<void> {
    for (const brokerId of await this.repository.drained(seen))
      this.log.log({ brokerId }, 'a broker is drained');
  }

  private async change(
    what: string,
    broker: string,
    by: string,
    act: (id: string) => Promise<boolean>,
  ): Promise<BrokerRow> {
    const id = await this.brokers.idOf(broker);
    const isChanged = await act(id);
    const row = await this.brokers.get(id);
    if (isChanged) this.log.log({ brokerId: id, by }, `a broker was ${what}`);
    return row;
  }

  private alive(row: BrokerRow): BrokerRow {
    if (row.revokedAt !== null) throw new BrokerRevoked();
    return row;
  }
}
