import { Injectable } from '@nestjs/common';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { isUuid } from '../../protocol/read.js';
import type { PeerCall } from '../cluster/peers/door.js';
import { PeerDoor } from '../cluster/peers/door.js';
import { PeerUnreachable } from '../cluster/peers/peers.errors.js';
import { Peers } from '../cluster/peers/peers.js';
import { Replica } from '../cluster/replica.js';
import { CodedError, NotFound } from '../problems/coded.error.js';
import { ConnectionRepository } from './connection.repository.js';
import type { Shown } from './control-channel.js';
import type { Poll, PollAnswer, ProvenPoll } from './poll-channel.js';
import { PollChannels } from './poll-channels.js';
import { ConnectionLost } from './registry.errors.js';

const RELAY = 'poll';
/** A poll is held so long at its owner; the way there and back takes a little more. */
const RELAY_WITHIN_MS = TIMES.pollHoldMs + 5_000;
/** The owner as the row has it, and once more where it was another by then. */
const TRIES = 2;

type Context = { signal: AbortSignal; traceparent: string | undefined };

/**
 * Polls of brokers, wherever they come in: to the channel where it is here, else to the replica that holds it. Ownership
 * does not follow a poll; it moves only where nobody holds the connection any more, and the broker begins another.
 */
@Injectable()
export class Polls {
  constructor(
    private readonly channels: PollChannels,
    private readonly connections: ConnectionRepository,
    private readonly replica: Replica,
    private readonly peers: Peers,
    door: PeerDoor,
  ) {
    door.serve(RELAY, (call) => this.relayed(call));
  }

  /** The first poll of a channel: it has the hello, and its answer the welcome. */
  async begin(shown: Shown, poll: Poll, settled: () => void, signal: AbortSignal): Promise<PollAnswer> {
    const channel = this.channels.open(shown);
    const answer = channel.poll(poll, signal);
    settled();
    return answer;
  }

  /**
   * A further one.
   *
   * @throws ConnectionLost where no replica holds the connection; PeerUnreachable where the one that does cannot be asked,
   *   DatabaseUnavailable: then the poll is to be sent again as it is
   * @throws PollOutOfStep, CredentialInvalid
   */
  async poll(
    brokerId: string,
    connectionId: string,
    poll: ProvenPoll,
    context: Context,
  ): Promise<PollAnswer> {
    const channel = this.channels.find(brokerId, connectionId);
    if (channel !== undefined) return channel.proven(poll, context.signal);
    let failure: CodedError = new ConnectionLost();
    for (let tries = 0; tries < TRIES; tries += 1) {
      const holder = await this.connections.holderOf(brokerId, connectionId);
      if (holder === undefined || holder === this.replica.id) throw new ConnectionLost();
      try {
        const body = { brokerId, connectionId, poll };
        const ask = { name: RELAY, body, withinMs: RELAY_WITHIN_MS, ...context };
        return (await this.peers.ask(holder, ask)) as PollAnswer;
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        if (error.code === 'not_found') failure = new ConnectionLost();
        else if (error instanceof PeerUnreachable) failure = error;
        // Its proof was used by the first try, of which no answer came: the broker proves the next one anew.
        else if (failure instanceof PeerUnreachable && error.code === 'credential_invalid') throw failure;
        else throw error;
      }
    }
    throw failure;
  }

  /** One hop: what is not here is looked for nowhere else. */
  private async relayed({ body, signal }: PeerCall): Promise<PollAnswer> {
    const { brokerId, connectionId, poll } = body as Record<string, unknown>;
    const channel =
      isUuid(brokerId) && isUuid(connectionId) ? this.channels.find(brokerId, connectionId) : undefined;
    if (channel === undefined) throw new NotFound('connection');
    if (!isPoll(poll)) throw new CodedError('request_invalid');
    return channel.proven(poll, signal);
  }
}

function isPoll(value: unknown): value is ProvenPoll {
  if (typeof value !== 'object' || value === null) return false;
  const { first, frames, received, jti } = value as Record<string, unknown>;
  const areNumbers = Number.isSafeInteger(first) && Number.isSafeInteger(received);
  return areNumbers && isUuid(jti) && Array.isArray(frames) && frames.length <= LIMITS.batch;
}
