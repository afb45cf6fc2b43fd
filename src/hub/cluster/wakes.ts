import { Injectable, Logger } from '@nestjs/common';
import { decode, emptyHint, encode, type Hint } from './hint.js';
import { Listener } from './listener.js';
import { Notifier } from './notifier.js';
import { PeerDoor } from './peers/door.js';
import { PeerWakes } from './peers/peer-wakes.js';
import { Replica } from './replica.js';

export type WakeSubscriber = {
  /** Takes a hint. Must only note it: it runs inside the listener. */
  onHint: (hint: Hint) => void;
  /** Hints may have been lost: one full pass is due. */
  onResumed: () => void;
};

/**
 * How replicas wake each other, and themselves. A wake is a hint: losing one costs time, never work.
 */
@Injectable()
export class Wakes {
  private readonly log = new Logger('cluster');
  private readonly subscribers: WakeSubscriber[] = [];

  constructor(
    private readonly replica: Replica,
    private readonly notifier: Notifier,
    private readonly listener: Listener,
    private readonly overLinks: PeerWakes,
    private readonly door: PeerDoor,
  ) {}

  subscribe(subscriber: WakeSubscriber): void {
    this.subscribers.push(subscriber);
  }

  /** In memory where the replica is this one; else over its link, where there is one, or through NOTIFY. */
  tell(replicaId: string, part: Partial<Hint>): void {
    const hint = { ...emptyHint(), ...part };
    if (replicaId === this.replica.id) this.deliver(hint);
    else if (!this.overLinks.tell(replicaId, () => encode(hint))) this.notifier.tell(replicaId, hint);
  }

  /** Which rung of the ladder carries wakes between replicas now. */
  get rung(): 'notify' | 'poll' {
    return this.listener.isHealthy ? 'notify' : 'poll';
  }

  report() {
    return { rung: this.rung, ...this.listener.report() };
  }

  /** Calls back with each canary's milliseconds under way. There is one observer. */
  observeCanary(observer: (delayMs: number) => void): void {
    this.listener.observeCanary(observer);
  }

  start(): void {
    const onPayload = (payload: string) => this.deliver(decode(payload));
    this.door.hear(onPayload);
    this.overLinks.start((replicaId, texts) => this.notifier.tellAgain(replicaId, texts));
    this.listener.start({
      onPayload,
      onResumed: () => {
        for (const { onResumed } of this.subscribers) onResumed();
      },
    });
  }

  async stop(): Promise<void> {
    await this.overLinks.stop();
    await this.listener.stop();
    await this.notifier.close();
  }

  /**
   * Whoever may NOTIFY may say anything, and a replica of another release what is not known here yet: a hint that somebody
   * cannot take is kept from nobody else, and ends neither the way that it came nor the process.
   */
  private deliver(hint: Hint): void {
    for (const { onHint } of this.subscribers) {
      try {
        onHint(hint);
      } catch (error) {
        this.log.warn({ err: error }, 'a hint could not be taken');
      }
    }
  }
}
