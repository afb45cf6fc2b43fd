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

  make(options: Pick<DirectOptions, 'purpose' | 'settings' | 'answerWithinMs'>): DirectConnection {
    return new DirectConnection({ ...options, url: this.server.directUrl, sessionName: this.session.value });
  }
}
