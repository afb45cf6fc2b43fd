import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { DirectConnection } from '../database/direct.js';
import { DirectConnections } from '../database/direct-connections.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { channelOf, Notifier } from './notifier.js';
import { Replica } from './replica.js';

const CANARY_MS = 500;
const CANARY = 'canary:';

/**
 * Hears this replica's channel. It does no work itself: it hands each payload on and returns to listening.
 *
 * A canary goes through NOTIFY every 500 ms; one that has not come back when the next is due means that the
 * listener is deaf, whatever the socket says, and the connection is made anew. After every new LISTEN the
 * subscribers make one full pass, since what was told meanwhile is lost. Where all ways to the database lead through a
 * pooler that lends sessions by the transaction, nothing would ever be heard: then it does not begin, and polls carry
 * the work.
 */
@Injectable()
export class Listener {
  private readonly log = new Logger('cluster');
  private connection: DirectConnection | undefined;
  private loop: Loop | undefined;
  private channel: string | undefined;
  private awaited: { token: string; sentAt: number } | undefined;
  private reconnects = 0;
  private delayMs: number | null = null;
  private hears = false;
  private onPayload: (payload: string) => void = () => undefined;
  private onResumed: () => void = () => undefined;
  private onCanary: (delayMs: number) => void = () => undefined;

  constructor(
    private readonly connections: DirectConnections,
    private readonly notifier: Notifier,
    private readonly replica: Replica,
    private readonly loops: Loops,
  ) {}

  /** Whether the last canary came back. While false, polls alone carry the work. */
  get isHealthy(): boolean {
    return this.hears;
  }

  report(): { listens: boolean; healthy: boolean; reconnects: number; canaryDelayMs: number | null } {
    return {
      listens: this.canListen,
      healthy: this.hears,
      reconnects: this.reconnects,
      canaryDelayMs: this.delayMs,
    };
  }

  /** Calls back with each canary's milliseconds under way. */
  observeCanary(observer: (delayMs: number) => void): void {
    this.onCanary = observer;
  }

  /** false where polls alone carry the work, as long as this process lives. */
  get canListen(): boolean {
    return this.connections.canListen;
  }

  start(handlers: { onPayload: (payload: string) => void; onResumed: () => void }): void {
    this.onPayload = handlers.onPayload;
    this.onResumed = handlers.onResumed;
    if (!this.canListen) {
      this.log.log('no LISTEN through a pooler: polls carry the wakes');
      return;
    }
    this.connection = this.connections.make({ purpose: 'listen', answerWithinMs: 2_000 });
    this.connection.onLost(() => this.lost());
    this.loop = this.loops.make({
      name: 'listen',
      everyMs: CANARY_MS,
      faultCapMs: 1_000,
      turn: () => this.turn(),
    });
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop?.stop();
    await this.connection?.close();
    this.hears = false;
  }

  private async turn(): Promise<void> {
    if (this.awaited !== undefined) {
      this.log.warn('the canary did not come back: listening anew');
      this.deaf();
      await this.connection?.reset();
    }
    if (this.channel !== channelOf(this.replica.id)) await this.listen();
    this.awaited = { token: uuidv7(), sentAt: performance.now() };
    this.notifier.tellRaw(channelOf(this.replica.id), CANARY + this.awaited.token);
  }

  private async listen(): Promise<void> {
    const { connection } = this;
    if (connection === undefined) return;
    const client = await connection.open();
    client.removeAllListeners('notification');
    client.on('notification', ({ payload }) => this.heard(payload ?? ''));
    const channel = channelOf(this.replica.id);
    try {
      if (this.channel !== undefined) await client.query(`unlisten "${this.channel}"`);
      await client.query(`listen "${channel}"`);
    } catch (error) {
      // A standby lets nobody listen: after a failover the name may still lead to the old server for a moment.
      await connection.reset();
      throw error;
    }
    this.channel = channel;
    this.reconnects += 1;
    this.onResumed();
  }

  private heard(payload: string): void {
    if (!payload.startsWith(CANARY)) {
      this.onPayload(payload);
      return;
    }
    if (this.awaited?.token !== payload.slice(CANARY.length)) return;
    const delayMs = performance.now() - this.awaited.sentAt;
    this.delayMs = Math.round(delayMs);
    this.onCanary(delayMs);
    this.awaited = undefined;
    this.hears = true;
  }

  /** What it heard on is gone. One that never was heard on is made again in its turn. */
  private lost(): void {
    const didHear = this.hears;
    this.deaf();
    if (didHear) this.loop?.wake();
  }

  private deaf(): void {
    this.hears = false;
    this.channel = undefined;
    this.awaited = undefined;
  }
}
