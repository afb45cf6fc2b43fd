import type { IncomingMessage } from 'node:http';
import { isUuid } from '../../protocol/read.js';
import { Arrivals } from '../arrivals.js';
import { PolledSocket, type Poll } from './polled-socket.js';

type Headers = IncomingMessage['headers'];
/** A poll as it came. */
export type SeenPoll = Poll & { headers: Headers; wasLost: boolean };
type Answer = { status: number; body: object };

/** The polls of the broker, and the channels that they are of. */
export class PlayedPolls {
  readonly seen = new Arrivals<SeenPoll>();
  /** Whether the next poll that brings something is lost on its way. */
  isLosing = false;
  private sockets: PolledSocket[] = [];

  constructor(
    private readonly opened: (socket: PolledSocket, headers: Headers) => void,
    private readonly onFault: (fault: string) => void,
  ) {}

  /** @returns undefined where there is to be none */
  async answer(headers: Headers, body: Record<string, unknown>): Promise<Answer | undefined> {
    if (!isPoll(body)) {
      this.onFault(`a poll that cannot be read: ${JSON.stringify(body).slice(0, 200)}`);
      return refused(400, 'request_invalid');
    }
    const wasLost = this.isLosing && body.frames.length > 0;
    if (wasLost) this.isLosing = false;
    this.seen.add({ ...body, headers, wasLost });
    if (wasLost) return undefined;
    const socket = body.connectionId === null ? this.open(headers) : this.find(body.connectionId);
    if (socket === undefined) return refused(409, 'connection_lost');
    const answer = await socket.poll(body);
    return answer === undefined ? refused(400, 'request_invalid') : { status: 200, body: answer };
  }

  /** Ends all channels, as a replica that goes away. */
  close(): void {
    for (const socket of this.sockets.splice(0)) socket.close(1001, 'going away');
  }

  private open(headers: Headers): PolledSocket {
    const socket = new PolledSocket(this.onFault);
    this.sockets.push(socket);
    this.opened(socket, headers);
    return socket;
  }

  private find(connectionId: string): PolledSocket | undefined {
    return this.sockets.find((socket) => socket.connectionId === connectionId);
  }
}

function isPoll(body: Record<string, unknown>): body is Poll {
  const { connectionId, first, frames, received } = body;
  const areNumbers = [first, received].every((number) => Number.isSafeInteger(number) && Number(number) >= 0);
  return (connectionId === null || isUuid(connectionId)) && areNumbers && Array.isArray(frames);
}

function refused(status: number, code: string): Answer {
  return { status, body: { type: `urn:fairlead:problem:${code}`, title: code, status, code, detail: code } };
}
