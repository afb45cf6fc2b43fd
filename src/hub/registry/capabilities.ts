import { Injectable, Logger } from '@nestjs/common';
import type { CapabilitiesAck, Capabilities as Told } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { asCoded } from '../problems/problem.filter.js';
import { ConnectionRepository } from './connection.repository.js';
import type { Link } from './link.js';
import { CapabilitiesStale } from './registry.errors.js';

/** What a broker says later than in its hello of what it can do. */
@Injectable()
export class Capabilities {
  private readonly log = new Logger('registry');

  constructor(
    private readonly repository: ConnectionRepository,
    private readonly replica: Replica,
    private readonly wakes: Wakes,
  ) {}

  /**
   * Puts them in the place of those on record, and answers. A refusal ends nothing: the broker goes on as it was, and may
   * say it again.
   *
   * @throws ProtocolError for a revision above which there would soon be none that can be told
   */
  async replace(link: Link, { revision, capabilities }: Told): Promise<void> {
    if (revision > Math.max(LIMITS.believedMost, link.facts.capabilitiesRevision + 1))
      throw new ProtocolError(
        `revision must be at most ${LIMITS.believedMost}, or one more than is on record`,
      );
    link.send({ t: 'capabilities_ack', revision, ...(await this.outcomeOf(link, revision, capabilities)) });
  }

  private async outcomeOf(
    link: Link,
    revision: number,
    capabilities: string[],
  ): Promise<Pick<CapabilitiesAck, 'stored' | 'error'>> {
    const { brokerId, epoch } = link;
    try {
      const { isTaken, stored } = await this.repository.replaceCapabilities(brokerId, epoch, {
        revision,
        capabilities,
      });
      if (!isTaken) return { stored, error: errorOf(new CapabilitiesStale(stored)) };
      this.log.log({ brokerId, epoch, revision, capabilities }, 'a broker changed what it can do');
      this.took(link, revision, capabilities);
      return { stored, error: null };
    } catch (error) {
      this.log.warn({ brokerId, epoch, err: error }, 'what a broker can do could not be stored');
      return { stored: link.facts.capabilitiesRevision, error: errorOf(error) };
    }
  }

  /** What waited for a capability may go out now; nothing new is to be read for that. */
  private took(link: Link, revision: number, capabilities: readonly string[]): void {
    link.become(capabilities, revision);
    this.wakes.tell(this.replica.id, { brokers: new Map([[link.brokerId, Number.MAX_SAFE_INTEGER]]) });
  }
}

function errorOf(thrown: unknown): { code: string; message: string } {
  const { code, message } = asCoded(thrown);
  return { code, message };
}
