import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { BrokerFrame, DispatchItem, HubFrame, InventoryEntry } from '../../src/protocol/frame.js';
import { readHubFrame } from '../../src/protocol/parse.js';
import type { ShownFields } from '../../src/broker/proof.js';
import { POLL_PATH } from '../../src/protocol/version.js';
import type { ScriptedBroker } from './scripted-broker.js';

type Answer = {
  first: number;
  frames: HubFrame[];
  received: number;
  closed: { code: number; reason: string } | null;
};

/** A scripted broker's channel over polls. It polls when the test says so, and where. */
export class ScriptedPoller {
  connectionId: string | null = null;
  /** The last frame of the hub that counts as arrived. */
  received = 0;
  private readonly unseen: BrokerFrame[] = [];
  private first = 1;
  private readonly arrived: HubFrame[] = [];
  closed: Answer['closed'] = null;

  constructor(
    private readonly broker: ScriptedBroker,
    private readonly token: string,
  ) {}

  /** Is welcomed by the replica at this address, and has its inventory judged. */
  static async open(
    broker: ScriptedBroker,
    url: string,
    inventory: InventoryEntry[] = [],
  ): Promise<ScriptedPoller> {
    const poller = new ScriptedPoller(broker, await broker.accessToken(url));
    await poller.poll(url, broker.hello());
    const welcome = await poller.next('welcome', url);
    poller.connectionId = welcome.connectionId;
    broker.lastEpoch = welcome.epoch;
    await poller.poll(url, { t: 'inventory', entries: inventory, last: true });
    await poller.next('inventory_ok', url);
    return poller;
  }

  /** What a poll with these frames, after those that were not seen taken, has as its body. */
  bodyWith(...frames: BrokerFrame[]): object {
    this.unseen.push(...frames);
    const { connectionId, first, received } = this;
    return { connectionId, first, frames: this.unseen, received };
  }

  async post(
    url: string,
    body: unknown,
    signal?: AbortSignal,
    shown?: ShownFields,
  ): Promise<{ status: number; body: any }> {
    const response = await fetch(`${url}/api/v1/control/poll`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(shown ?? (await this.shown(url, connectionIdOf(body) ?? this.connectionId))),
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** A proof for one poll of the connection as it is. */
  async shown(url: string, connectionId = this.connectionId): Promise<ShownFields> {
    const { token } = this;
    const showing = { method: 'POST', path: POLL_PATH, connectionId: connectionId ?? undefined } as const;
    return this.broker.shown(url, { token, ...showing });
  }

  /** Says how long its body is, and sends nothing of it. */
  async begin(url: string, bytes: number): Promise<{ status: number; body: any }> {
    const call = request(`${url}/api/v1/control/poll`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(await this.shown(url)),
        'content-length': bytes,
      },
    });
    call.flushHeaders();
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    const body = await text(response);
    call.destroy();
    return { status: response.statusCode ?? 0, body: JSON.parse(body) };
  }

  /** Polls once, and takes the answer as a broker does. */
  async poll(url: string, ...frames: BrokerFrame[]): Promise<Answer> {
    const { status, body } = await this.post(url, this.bodyWith(...frames));
    if (status !== 200) throw new Error(`the poll was refused: ${status} ${JSON.stringify(body)}`);
    return this.take(body as Answer);
  }

  take(answer: Answer): Answer {
    answer.frames.forEach((frame, index) => {
      if (answer.first + index <= this.received) return;
      this.received = answer.first + index;
      this.arrived.push(readHubFrame(frame));
    });
    while (this.first <= answer.received) {
      this.unseen.shift();
      this.first += 1;
    }
    this.closed = answer.closed ?? this.closed;
    return answer;
  }

  /** Polls until a frame of this type has arrived. */
  async next<T extends HubFrame['t']>(type: T, url: string): Promise<Extract<HubFrame, { t: T }>> {
    for (;;) {
      const at = this.arrived.findIndex(({ t }) => t === type);
      if (at >= 0) return this.arrived.splice(at, 1)[0] as Extract<HubFrame, { t: T }>;
      if (this.closed !== null) throw new Error(`the channel ended: ${JSON.stringify(this.closed)}`);
      await this.poll(url);
    }
  }

  async nextDispatch(url: string): Promise<DispatchItem> {
    const { dispatches } = await this.next('dispatch', url);
    if (dispatches[0] === undefined) throw new Error('a dispatch frame without a dispatch');
    return dispatches[0];
  }

  countArrived(type: HubFrame['t']): number {
    return this.arrived.filter(({ t }) => t === type).length;
  }
}

export function ackOf({ id, attempt }: DispatchItem): BrokerFrame {
  return { t: 'ack', acks: [{ id, attempt }] };
}

export function successOf({ id, attempt }: DispatchItem): BrokerFrame {
  return { t: 'result', results: [{ id, attempt, outcome: 'succeeded', body: { polled: true } }] };
}

/** What a body is of, where that can be read. */
function connectionIdOf(body: unknown): string | undefined {
  const { connectionId } = (body ?? {}) as { connectionId?: unknown };
  return typeof connectionId === 'string' ? connectionId : undefined;
}
