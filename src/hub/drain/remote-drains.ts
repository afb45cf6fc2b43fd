import { Injectable, Logger } from '@nestjs/common';
import { Peers } from '../cluster/peers/peers.js';
import type { ReplicaRow } from '../cluster/replica-row.js';
import { Replica } from '../cluster/replica.js';
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
  ) {}

  /**
   * Has a replica drain and end. Resolves when it has begun, or had before.
   *
   * @param askedBy for the log
   * @throws NotFound for one that is gone; PeerUnreachable, DatabaseUnavailable: then it may or may not have begun
   */
  async begin(id: string, deadlineS: number | undefined, askedBy: string): Promise<ReplicaRow> {
    const row = (await this.replica.list()).find((each) => each.id === id);
    if (row === undefined || row.state === 'gone') throw new NotFound('replica');
    this.log.log({ replica: id, deadlineS, askedBy }, 'a drain was asked for');
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
