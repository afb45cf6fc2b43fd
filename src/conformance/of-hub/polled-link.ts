import type { BrokerFrame, DispatchItem, FrameOf, Hello, HubFrame } from '../../protocol/frame.js';
import { readPollAnswer, type PollAnswer } from '../../protocol/poll.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { POLL_PATH } from '../../protocol/version.js';
import { Broken, hold, shown as printed } from '../rule.js';
import type { Answer, HubStage, Shown } from './stage.js';

/** What stands in a poll beside the proof of who asks. */
export type Poll = { connectionId: string | null; first: number; frames: BrokerFrame[]; received: number };

/**
 * One channel over polls, seen from the broker. It polls when it is told to, and keeps the numbers of both sides as
 * docs/control-channel.md has them.
 */
export class PolledLink {
  connectionId: string | null = null;
  private first = 1;
  private unseen: BrokerFrame[] = [];
  private received = 0;
  private readonly arrived: HubFrame[] = [];

  constructor(
    private readonly stage: HubStage,
    private readonly token: string,
  ) {}

  /** Welcomed, with an empty inventory that was judged. */
  static async open(stage: HubStage): Promise<PolledLink> {
    const link = new PolledLink(stage, await stage.accessToken());
    await link.greet(stage.hello());
    stage.lastEpoch = (await link.next('welcome')).epoch;
    await link.say({ t: 'inventory', entries: [], last: true });
    await link.next('inventory_ok');
    return link;
  }

  /** The first poll. */
  async greet(hello: Hello): Promise<PollAnswer> {
    const answer = await this.say(hello);
    const welcome = this.arrived.find((frame) => frame.t === 'welcome');
    if (welcome !== undefined) this.connectionId = welcome.connectionId;
    return answer;
  }

  /** A poll with these frames, after those that were not seen taken. */
  pollWith(...frames: BrokerFrame[]): Poll {
    this.unseen.push(...frames);
    const { connectionId, first, unseen, received } = this;
    return { connectionId, first, frames: [...unseen], received };
  }

  /** A proof for one poll of this connection. */
  shown(connectionId = this.connectionId): Promise<Shown> {
    return this.stage.shown({ method: 'POST', path: POLL_PATH, connectionId, token: this.token });
  }

  /** Sends a poll as it is. @throws Broken where no answer comes */
  async post(poll: object, shown?: Shown, withinMs = this.stage.pace.withinMs): Promise<Answer> {
    return this.stage.post(POLL_PATH, poll, shown ?? (await this.shown()), withinMs);
  }

  /** Sends a poll as it is, and reads the answer without taking it. @throws Broken where it is none */
  async ask(poll: Poll, withinMs?: number): Promise<PollAnswer> {
    const { status, body } = await this.post(poll, undefined, withinMs);
    hold(status === 200, 'the poll to be answered with 200', { status, ...body });
    try {
      return readPollAnswer(body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new Broken('the answer to a poll', `${error.message}: ${printed(body)}`);
    }
  }

  /** Polls once, and takes the answer. */
  async say(...frames: BrokerFrame[]): Promise<PollAnswer> {
    return this.take(await this.ask(this.pollWith(...frames)));
  }

  /** Counts what has arrived, and forgets what was taken. */
  take(answer: PollAnswer): PollAnswer {
    const { first, frames, received } = answer;
    frames.forEach((frame, index) => {
      if (first + index <= this.received) return;
      this.received = first + index;
      this.arrived.push(frame);
    });
    this.unseen = this.unseen.slice(Math.max(0, received + 1 - this.first));
    this.first = Math.max(this.first, received + 1);
    return answer;
  }

  /** Polls until such a frame has arrived. @throws Broken where none comes in time, or the channel ends */
  async next<T extends HubFrame['t']>(type: T): Promise<FrameOf<T>> {
    const isIt = (frame: HubFrame): frame is Extract<HubFrame, { t: T }> => frame.t === type;
    const until = performance.now() + this.stage.pace.withinMs;
    for (;;) {
      const found = this.arrived.find(isIt);
      if (found !== undefined) {
        this.arrived.splice(this.arrived.indexOf(found), 1);
        return found;
      }
      if (performance.now() > until) throw new Broken(`a frame ${type}`, printed(this.arrived));
      const { closed } = await this.say();
      if (closed !== null) throw new Broken(`a frame ${type}`, `the end of the channel: ${printed(closed)}`);
    }
  }

  async nextDispatch(): Promise<DispatchItem> {
    const [item] = (await this.next('dispatch')).dispatches;
    if (item === undefined) throw new Broken('a command', 'an empty list');
    return item;
  }

  /** Says goodbye, so that no rule finds the channel of another. */
  leave(): Promise<PollAnswer> {
    return this.say({ t: 'goodbye', reason: 'the rule was tried' });
  }
}
