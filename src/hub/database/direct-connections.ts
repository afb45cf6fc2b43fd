import { Injectable } from '@nestjs/common';
import { DirectConnection, type DirectOptions } from './direct.js';
import { DatabaseServer } from './server.js';
import { SessionName } from './session-name.js';

/** Makes the few connections that stand beside the pool. */
@Injectable()
export class DirectConnections {
  constructor(
    private readonly server: DatabaseServer,
    private readonly session: SessionName,
  ) {}

  /** Whether LISTEN hears anything: through a pooler nobody would, and nobody is told of it. */
  get canListen(): boolean {
    return this.server.directPooler === 'none';
  }

  make(options: Pick<DirectOptions, 'purpose' | 'settings' | 'answerWithinMs'>): DirectConnection {
    const { directUrl: url, directPooler: pooler } = this.server;
    return new DirectConnection({ ...options, url, pooler, sessionName: this.session.value });
  }
}
