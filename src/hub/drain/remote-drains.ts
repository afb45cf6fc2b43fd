import { Injectable, Logger } from '@nestjs/common';
import type { Actor } from '../auth/actor.js';
import { Audit } from '../auth/audit.js';
import type { AuditEntry } from '../auth/audit-entry.js';
import { Peers } from '../cluster/peers/peers.js';
import type { ReplicaRow } from '../cluster/replica-row.js';
import { Replica } from '../cluster/replica.js';
import { Database } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import { InternalListener } from './internal-listener.js';
import { DRAIN_PATH } from './local.js';

/** Drains that were asked for at any replica, of any replica. */
@Injectable()
export class RemoteDrains {
  private readonly log = new Logger('drain');

  constructor(
    private readonly replica: Replica,
    private readonly peers: Peers,
    private readonly listener: InternalListener,
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /**
   * Has a replica drain and end. Resolves when it has begun, or had before. What is kept in the audit is that it was asked for, before
   * it begins: a replica that drains itself may be gone afterwards.
   *
   * @throws NotFound for one that is gone; PeerUnreachable, DatabaseUnavailable: then it may or may not have begun
   */
  async begin(id: string, deadlineS: number | undefined, actor: Actor): Promise<ReplicaRow> {
    const row = (await this.replica.list()).find((each) => each.id === id);
    const subject = { kind: 'replica', id, name: row?.name ?? null } as const;
    const entry: AuditEntry = { act: 'replica.drain', actor, subject, detail: { deadlineS } };
    if (row === undefined || row.state === 'gone') {
      const unknown = new NotFound('replica');
      await this.audit.refused(entry, unknown);
      throw unknown;
    }
    if (row.state === 'draining') await this.audit.unchanged(entry);
    else await this.audit.done(this.database.run, entry);
    this.log.log({ replica: id, deadlineS, askedBy: actor.id }, 'a drain was asked for');
    if (id === this.replica.id) {
      this.listener
        .drain(deadlineS === undefined ? undefined : deadlineS * 1000)
        .catch((error: unknown) => this.log.error({ err: error }, 'the drain failed'));
    } else {
      await this.peers.askToDrain(id, DRAIN_PATH + (deadlineS === undefined ? '' : `?deadline=${deadlineS}`));
    }
    return row;
  }
}
