import { Injectable, Logger } from '@nestjs/common';
import type { Actor } from '../auth/actor.js';
import type { Act, AuditEntry } from '../auth/audit-entry.js';
import { Audit } from '../auth/audit.js';
import { BrokerKeys } from '../auth/broker-keys.js';
import { Database, type Run } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import type { BrokerRow } from './broker.repository.js';
import { Brokers } from './brokers.js';
import { BrokerCordoned, BrokerDraining, BrokerNotConnected, TooManyLabels } from './operation.errors.js';
import { OperationRepository, type BrokerChange } from './operation.repository.js';
import { Ownership } from './ownership.js';
import { RevisionStale } from './project.errors.js';
import { BrokerRevoked } from './registry.errors.js';

/**
 * What an operator does with brokers. All of it is safe to repeat. Each change leaves a row in the audit, in its own
 * transaction, and a line in the log; what changed nothing and what was refused leave a row as well. A kick and a revocation take the ownership away in the rows first, in turn with connects and claims:
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
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /** No new agents are placed on it from now on. @throws NotFound, BrokerRevoked */
  async cordon(broker: string, by: Actor): Promise<BrokerRow> {
    const told = { act: 'broker.cordon', said: 'cordoned', by, unlessChanged: unlessRevoked } as const;
    return this.change(broker, told, (id, run) => this.repository.cordon(id, run));
  }

  /** Nothing is started on it from now on, and its agents are stopped. @throws NotFound, BrokerRevoked */
  async drain(broker: string, by: Actor): Promise<BrokerRow> {
    const told = { act: 'broker.drain', said: 'to be drained', by, unlessChanged: unlessRevoked } as const;
    return this.change(broker, told, (id, run) => this.repository.drain(id, run));
  }

  /** Back into service, whatever took it out. @throws NotFound */
  async uncordon(broker: string, by: Actor): Promise<BrokerRow> {
    const told = { act: 'broker.uncordon', said: 'put into service', by } as const;
    return this.change(broker, told, (id, run) => this.repository.uncordon(id, run));
  }

  /**
   * Changes its name, or labels that it is given, if it is still of the revision that the caller has read.
   *
   * @throws NotFound, RenameRefused, RevisionStale, TooManyLabels
   */
  async update(broker: string, revision: number | null, change: BrokerChange, by: Actor): Promise<BrokerRow> {
    const unlessChanged = ({ revision: stored }: BrokerRow): void => {
      throw revision === null || revision === stored ? new TooManyLabels() : new RevisionStale(stored);
    };
    const told = { act: 'broker.update', said: 'changed', by, detail: { ...change }, unlessChanged } as const;
    return this.change(broker, told, (id, run) => this.repository.update(id, revision, change, run));
  }

  /**
   * Ends its connection; it connects again.
   *
   * @param reason in printable ASCII; the broker reads it in the close of its link
   * @throws NotFound, BrokerNotConnected
   */
  async kick(broker: string, reason: string | undefined, by: Actor): Promise<BrokerRow> {
    const unlessChanged = (): void => {
      throw new BrokerNotConnected();
    };
    const told = { act: 'broker.kick', said: 'kicked', by, detail: { reason }, unlessChanged } as const;
    return this.changeBy(broker, told, (id, keep) => this.ownership.kick(id, reason, keep));
  }

  /** For ever: its key is retired, its link is cut wherever it is, and it is admitted nowhere. @throws NotFound */
  async revoke(broker: string, by: Actor): Promise<BrokerRow> {
    const told = { act: 'broker.revoke', said: 'revoked', by } as const;
    return this.changeBy(broker, told, async (id, keep) =>
      this.ownership.shutOut(id, async (run) => {
        await this.keys.retireAll(run, id);
        const isChanged = await this.repository.revoke(run, id);
        if (isChanged) await keep(run);
        return isChanged;
      }),
    );
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
    broker: string,
    told: Told,
    act: (id: string, run: Run) => Promise<boolean>,
  ): Promise<BrokerRow> {
    return this.changeBy(broker, told, (id, keep) =>
      this.database.transaction(async (run) => {
        const isChanged = await act(id, run);
        if (isChanged) await keep(run);
        return isChanged;
      }),
    );
  }

  /**
   * @param act changes the broker, calls what it is given within the same transaction, and says whether it has changed
   *   anything
   */
  private async changeBy(
    broker: string,
    { act, said, by, detail = {}, unlessChanged }: Told,
    change: (id: string, keep: (run: Run) => Promise<void>) => Promise<boolean>,
  ): Promise<BrokerRow> {
    const id = await this.brokers.idOf(broker);
    const entry: AuditEntry = {
      act,
      actor: by,
      subject: { kind: 'broker', id, name: broker === id ? null : broker },
      detail,
    };
    try {
      const isChanged = await change(id, (run) => this.audit.done(run, entry));
      const row = await this.brokers.get(id);
      if (isChanged) {
        this.log.log({ brokerId: id, by: by.id }, `a broker was ${said}`);
        return row;
      }
      unlessChanged?.(row);
      await this.audit.unchanged(entry);
      return row;
    } catch (error) {
      await this.audit.refused(entry, error);
      throw error;
    }
  }
}

/** How an act is told of, and what stands against it where it has changed nothing. */
type Told = {
  act: Act;
  said: string;
  by: Actor;
  detail?: object;
  unlessChanged?: (row: BrokerRow) => void;
};

/** What is shut out for ever is in no service. */
function unlessRevoked({ revokedAt }: BrokerRow): void {
  if (revokedAt !== null) throw new BrokerRevoked();
}
