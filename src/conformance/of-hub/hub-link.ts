import { WebSocket } from 'ws';
import type { BrokerFrame, DispatchItem, FrameOf, HubFrame } from '../../protocol/frame.js';
import { parseHubFrame } from '../../protocol/parse.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { Arrivals } from '../arrivals.js';
import type { Pace } from '../pace.js';

export type Ended = { code: number; reason: string };

/** One channel to the hub, seen from the broker. It says nothing by itself. */
export class HubLink {
  readonly frames = new Arrivals<HubFrame>();
  readonly dispatches = new Arrivals<DispatchItem>();
  readonly ended: Promise<Ended>;
  pings = 0;
  pongs = 0;

  constructor(
    private readonly socket: WebSocket,
    private readonly pace: Pace,
  ) {
    socket.on('error', () => undefined);
    socket.on('ping', () => (this.pings += 1));
    socket.on('pong', () => (this.pongs += 1));
    socket.on('message', (data: Buffer) => this.take(data.toString()));
    this.ended = new Promise((resolve) =>
      socket.on('close', (code, reason) => {
        const why = `the hub ended the link with ${code} ${reason.toString()}`.trim();
        for (const arrivals of [this.frames, this.dispatches]) arrivals.end(why);
        resolve({ code, reason: reason.toString() });
      }),
    );
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  get extensions(): string {
    return this.socket.extensions;
  }

  send(frame: BrokerFrame): void {
    this.sendRaw(JSON.stringify(frame));
  }

  sendRaw(message: string | Buffer): void {
    if (this.isOpen) this.socket.send(message);
  }

  ping(): void {
    this.socket.ping();
  }

  cut(): void {
    this.socket.terminate();
  }

  next<T extends HubFrame['t']>(type: T): Promise<FrameOf<T>> {
    const isIt = (frame: HubFrame): frame is FrameOf<T> => frame.t === type;
    return this.frames.next<FrameOf<T>>(`a frame ${type}`, isIt, this.pace.withinMs);
  }

  nextDispatch(what = 'the command', id?: string, withinMs = this.pace.withinMs): Promise<DispatchItem> {
    return this.dispatches.next(what, (item) => id === undefined || item.id === id, withinMs);
  }

  async confirmed(id: string): Promise<void> {
    const isIt = (frame: HubFrame): boolean => frame.t === 'confirm' && frame.ids.includes(id);
    await this.frames.next('a confirm of the result', isIt, this.pace.withinMs);
  }

  succeed({ id, attempt }: DispatchItem, body: null | { text: string } = null): void {
    this.send({ t: 'ack', acks: [{ id, attempt }] });
    this.send({ t: 'result', results: [{ id, attempt, outcome: 'succeeded', body }] });
  }

  /** @param agents the digest of them, where there is one */
  beat(agents?: string): void {
    const digest = agents === undefined ? {} : { agents };
    this.send({ t: 'heartbeat', health: 'online', load: null, running: 0, ...digest });
  }

  /** How the link ends, if it does in the time. */
  async endsWithin(ms = this.pace.withinMs): Promise<Ended | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
    const end = await Promise.race([this.ended, late]);
    clearTimeout(timer);
    return end;
  }

  private take(text: string): void {
    try {
      const frame = parseHubFrame(text);
      this.frames.add(frame);
      if (frame.t === 'dispatch') for (const item of frame.dispatches) this.dispatches.add(item);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.frames.end(`what cannot be read: ${error.message}`);
    }
  }
}
