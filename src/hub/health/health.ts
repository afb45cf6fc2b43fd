import { Injectable } from '@nestjs/common';
import { Isolation } from '../cluster/peers/isolation.js';
import { Peers } from '../cluster/peers/peers.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { DispatchLife } from '../dispatch/life.js';
import { DatabaseServer } from '../database/server.js';
import { ABOUT_STANDBY, Standbys } from '../database/standby.js';
import { Loops } from '../lifecycle/loops.js';
import { Admission } from '../registry/admission.js';
import { Links } from '../registry/links.js';
import { SOFTWARE } from '../software.js';
import type { HealthDto } from './health.dto.js';

/** A loop that has made no progress for this long, and has failed, is not well. */
const STUCK_AFTER_MS = 30_000;

/** How this replica is, in parts. */
@Injectable()
export class Health {
  private opened = false;

  constructor(
    private readonly replica: Replica,
    private readonly wakes: Wakes,
    private readonly peers: Peers,
    private readonly links: Links,
    private readonly dispatch: DispatchLife,
    private readonly loops: Loops,
    private readonly admission: Admission,
    private readonly server: DatabaseServer,
    private readonly standbys: Standbys,
    private readonly isolation: Isolation,
  ) {}

  /** The boot is over. */
  open(): void {
    this.opened = true;
  }

  /** Whether requests should be routed here. Depends on no broker, and not on a database that is away for all. */
  get isReady(): boolean {
    return this.opened && !this.admission.isClosed && !this.isolation.isAlone;
  }

  async report(): Promise<HealthDto> {
    const loops = this.loops.report();
    const stuck = loops.filter(
      ({ faults, progressAgeMs }) => faults > 0 && (progressAgeMs ?? Infinity) > STUCK_AFTER_MS,
    );
    const [rows, standby] = await Promise.all([this.dispatch.rows().catch(() => null), this.standbys.see()]);
    const peers = this.peers.report();
    const isSound = rows !== null && stuck.length === 0 && peers.reachesItself !== false;
    const isWell = this.isReady && this.replica.mayAct && isSound;
    return {
      status: isWell ? 'ok' : this.admission.isClosed ? 'draining' : 'impaired',
      replica: {
        id: this.replica.id,
        state: this.replica.state,
        mayAct: this.replica.mayAct,
        software: SOFTWARE,
      },
      database: {
        reachable: rows !== null,
        embedded: this.server.isEmbedded,
        pooler: this.server.pooler,
        standby,
        aboutStandby: ABOUT_STANDBY[standby],
      },
      wakes: this.wakes.report(),
      peers,
      brokers: { connected: this.links.count },
      dispatches: { rows, here: this.dispatch.here() },
      loops,
    };
  }
}
