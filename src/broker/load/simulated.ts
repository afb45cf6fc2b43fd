/**
 * A broker without a journal and without agents: its channel is the real one, with the broker's own connector, and of
 * commands it knows `broker.ping`. Its key is in memory and is gone with it.
 */
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { DispatchItem, Hello, HubFrame, ResultItem } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { PROTOCOL_RANGE } from '../../protocol/version.js';
import { systemClocks } from '../clocks.js';
import { Addresses } from '../connection/addresses.js';
import { heartbeatDelayMs } from '../connection/backoff.js';
import { Connector } from '../connection/connector.js';
import { LINK_TIMES, type Link } from '../connection/link.js';
import { RECONNECT_TIMES } from '../connection/patience.js';
import { Credential } from '../credential.js';
import { makeKey, publicKeyOf } from '../credential-key.js';
import { keyInMemory } from '../keyring.js';
import { takeSeat } from '../join.js';
import { softwareName } from '../software.js';
import type { Tally } from './tally.js';

export type Membership = { urls: readonly string[]; token: string; name: string; fingerprint: string };

export class SimulatedBroker {
  private readonly bootId = uuidv7();
  private readonly journalId = uuidv7();
  private lastEpoch = 0;
  private dialledAt = 0;
  private newest: Link | undefined;
  private isLinked = false;
  private readonly connector: Connector;

  private constructor(
    private readonly addresses: Addresses,
    credential: Credential,
    private readonly tally: Tally,
    log: Logger,
  ) {
    this.connector = new Connector(
      addresses,
      credential,
      { hello: () => this.hello(), attend: (link) => this.attend(link) },
      systemClocks,
      { ...RECONNECT_TIMES, ...LINK_TIMES },
      Math.random,
      log,
    );
  }

  /**
   * Joins with a seat of the token, and begins to dial.
   *
   * @throws JoinRefused, HubUnreachable
   */
  static async join(membership: Membership, tally: Tally, log: Logger): Promise<SimulatedBroker> {
    const { urls, ...seat } = membership;
    const key = await makeKey();
    const { brokerId, hubId, granted } = await takeSeat(urls, {
      ...seat,
      publicKey: publicKeyOf(key),
      software: softwareName(),
      labels: {},
    });
    tally.joined += 1;
    const credential = new Credential(brokerId, hubId, keyInMemory(key), systemClocks, { ...granted, key });
    const broker = new SimulatedBroker(new Addresses(urls, null), credential, tally, log);
    broker.connector.start(0);
    return broker;
  }

  /** Says goodbye; resolves when its links have ended. */
  async leave(): Promise<void> {
    this.newest = undefined;
    await this.connector.stop('the load is over');
  }

  private hello(): Hello {
    this.dialledAt = systemClocks.monotonicMs();
    return {
      t: 'hello',
      protocol: PROTOCOL_RANGE,
      bootId: this.bootId,
      journalId: this.journalId,
      lastEpoch: this.lastEpoch,
      software: softwareName(),
      capabilities: [],
      labels: {},
      window: LIMITS.windowDefault,
      health: 'online',
    };
  }

  private attend(link: Link): void {
    const { tally } = this;
    if (this.lastEpoch > 0) tally.reconnects += 1;
    this.lastEpoch = link.epoch;
    // A handover has its new link before the old one ends: the broker was never without one.
    if (!this.isLinked) tally.linkedOne(systemClocks.monotonicMs() - this.dialledAt);
    this.isLinked = true;
    this.newest = link;
    void this.addresses.learn(link.welcome.alternatives);
    link.listen((frame) => this.take(link, frame));
    link.send({ t: 'inventory', entries: [], last: true });
    let timer: NodeJS.Timeout | undefined;
    const beat = (): void => {
      if (!link.send({ t: 'heartbeat', health: 'online', load: null, running: 0 })) return;
      tally.beats += 1;
      timer = setTimeout(beat, heartbeatDelayMs(link.welcome.heartbeatMs, Math.random));
    };
    beat();
    void link.ended.then(() => {
      clearTimeout(timer);
      if (this.newest !== link) return;
      this.newest = undefined;
      this.isLinked = false;
      tally.lostOne();
    });
  }

  private take(link: Link, frame: HubFrame): void {
    if (frame.t === 'going_away') this.connector.goingAway(link, frame);
    else if (frame.t === 'heartbeat_ack') void this.addresses.learn(frame.alternatives ?? []);
    else if (frame.t === 'dispatch') this.answer(link, frame.dispatches);
    else if (frame.t === 'welcome') link.cut('protocol_error', 'a second welcome');
  }

  private answer(link: Link, dispatches: readonly DispatchItem[]): void {
    link.send({ t: 'ack', acks: dispatches.map(({ id, attempt }) => ({ id, attempt })) });
    const body = { time: new Date().toISOString() };
    const results = dispatches.map(({ id, attempt, op }): ResultItem =>
      op === 'broker.ping' ? { id, attempt, outcome: 'succeeded', body } : { id, attempt, ...UNKNOWN_OP },
    );
    if (link.send({ t: 'result', results })) this.tally.commands += results.length;
  }
}

const UNKNOWN_OP = {
  outcome: 'failed',
  error: { code: 'op_unknown', message: 'A simulated broker answers pings alone.', retryable: false },
} as const;
