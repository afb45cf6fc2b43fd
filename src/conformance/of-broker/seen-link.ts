import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import type {
  BrokerFrame,
  DispatchItem,
  FrameOf,
  Hello,
  HubFrame,
  ResultItem,
} from '../../protocol/frame.js';
import { parseBrokerFrame } from '../../protocol/parse.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { Arrivals } from '../arrivals.js';
import type { Pace } from '../pace.js';

export type Attempt = { id: string; attempt: number };
export type Ended = { code: number; reason: string };

/** A field that no side knows, in every frame: all brokers are to ignore it. */
const SURPLUS = { surplus: { by: 'fairlead conformance' } };

/** One channel of the broker, seen from the hub. What cannot be read is kept, and ends nothing here. */
export class SeenLink {
  readonly frames = new Arrivals<BrokerFrame>();
  /** What the frames of these types carry, one by one. */
  readonly acks = new Arrivals<Attempt>();
  readonly results = new Arrivals<ResultItem>();
  readonly ended: Promise<Ended>;
  readonly openedMs = performance.now();
  hello: Hello | undefined;
  helloAtMs = 0;
  epoch = 0;
  pings = 0;
  pongs = 0;
  /** Whether frames and pings are left unanswered, as by a hub that is gone. */
  isSilent = false;
  private end: Ended | undefined;

  constructor(
    readonly socket: WebSocket,
    /** The token that it was opened with. */
    readonly token: string,
    private readonly pace: Pace,
    private readonly onFault: (fault: string) => void,
  ) {
    socket.on('error', () => undefined);
    socket.on('ping', (data: Buffer) => {
      this.pings += 1;
      if (!this.isSilent) socket.pong(data);
    });
    socket.on('pong', () => (this.pongs += 1));
    socket.on('message', (data: Buffer, isBinary: boolean) => this.take(data, isBinary));
    this.ended = new Promise((resolve) =>
      socket.on('close', (code, reason) => {
        this.end = { code, reason: reason.toString() };
        const why = `the broker ended the link with ${code} ${reason.toString()}`.trim();
        for (const arrivals of [this.frames, this.acks, this.results]) arrivals.end(why);
        resolve(this.end);
      }),
    );
  }

  get isOpen(): boolean {
    return this.end === undefined && this.socket.readyState === this.socket.OPEN;
  }

  send(frame: HubFrame): void {
    this.sendText(JSON.stringify({ ...frame, ...SURPLUS }));
  }

  sendText(text: string): void {
    if (this.isOpen) this.socket.send(text);
  }

  next<T extends BrokerFrame['t']>(type: T, what = `a frame ${type}`): Promise<FrameOf<T>> {
    return this.frames.next<FrameOf<T>>(
      what,
      (frame): frame is FrameOf<T> => frame.t === type,
      this.pace.withinMs,
    );
  }

  /** Gives one command. */
  give(given: Partial<DispatchItem> = {}): DispatchItem {
    const item = commandOf(given);
    this.send({ t: 'dispatch', dispatches: [item] });
    return item;
  }

  /** @throws Broken where it is not acked under this attempt */
  async acked({ id, attempt }: Attempt): Promise<void> {
    const isIt = (ack: Attempt): boolean => ack.id === id && ack.attempt === attempt;
    await this.acks.next(`an ack of the command under attempt ${attempt}`, isIt, this.pace.withinMs);
  }

  /** The next result of it under this attempt. @throws Broken where none comes */
  async result({ id, attempt }: Attempt): Promise<ResultItem> {
    const isIt = (result: ResultItem): boolean => result.id === id && result.attempt === attempt;
    return this.results.next(`a result of the command under attempt ${attempt}`, isIt, this.pace.withinMs);
  }

  /** What comes of it within the time that what must not come is waited for. */
  async hears(id: string): Promise<Attempt | undefined> {
    const isIt = (each: Attempt): boolean => each.id === id;
    const { quietMs } = this.pace;
    const [ack, result] = await Promise.all([
      this.acks.within(isIt, quietMs),
      this.results.within(isIt, quietMs),
    ]);
    return result ?? ack;
  }

  /** How the link ends, if it does in the time. */
  async endsWithin(ms: number): Promise<Ended | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
    const end = await Promise.race([this.ended, late]);
    clearTimeout(timer);
    return end;
  }

  private take(data: Buffer, isBinary: boolean): void {
    if (isBinary) return this.onFault('a binary message');
    const text = data.toString();
    try {
      const frame = parseBrokerFrame(text);
      this.frames.add(frame);
      if (frame.t === 'ack') for (const ack of frame.acks) this.acks.add(ack);
      if (frame.t === 'result') for (const result of frame.results) this.results.add(result);
      if (this.isSilent) return;
      if (frame.t === 'inventory' && frame.last) this.send({ t: 'inventory_ok' });
      if (frame.t === 'heartbeat') this.send({ t: 'heartbeat_ack', hubTime: new Date().toISOString() });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.onFault(`${error.message}: ${text.slice(0, 200)}`);
    }
  }
}

export function resultOf(frame: BrokerFrame, id: string): ResultItem | undefined {
  return frame.t === 'result' ? frame.results.find((item) => item.id === id) : undefined;
}

export function commandOf(given: Partial<DispatchItem> = {}): DispatchItem {
  const ping = { op: 'broker.ping', args: {}, key: null, remainingMs: 600_000 };
  return { id: randomUUID(), attempt: 1, ...ping, ...given };
}
