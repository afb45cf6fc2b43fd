import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../../config/config.module.js';
import type { HubConfig } from '../../config/hub-config.js';
import type { Loop } from '../../lifecycle/loop.js';
import { Loops } from '../../lifecycle/loops.js';
import { Peers } from './peers.js';
import type { WakeStream } from './wake-stream.js';

const LOOK_EVERY_MS = 250;
/** The canary of NOTIFY is given as long. */
const TAKEN_WITHIN_MS = 500;
/** After a link that could not be opened, or was over, NOTIFY carries the hints for so long. */
const REST_MS = 10_000;
const FORGOTTEN_AFTER_MS = 600_000;

type Way = { stream: WakeStream | undefined; isOpening: boolean; notBefore: number };

/**
 * Hints over the links to other replicas: as those of NOTIFY, and a good deal sooner, since they go through no server.
 *
 * A link is opened for the first hint, which goes another way meanwhile. Each hint is kept until the other replica says that
 * it took it; one that has not in time, or whose link broke, is given back, to go the other way, so that a link that is
 * silent costs half a second and loses nothing.
 */
@Injectable()
export class PeerWakes {
  private readonly log = new Logger('cluster');
  private readonly ways = new Map<string, Way>();
  private readonly looking: Loop;
  private isStopped = false;
  private giveBack: (replicaId: string, texts: string[]) => void = () => undefined;

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly peers: Peers,
    loops: Loops,
  ) {
    this.looking = loops.make({ name: 'hints over links', everyMs: LOOK_EVERY_MS, turn: () => this.look() });
  }

  /** @param giveBack takes what is to go another way */
  start(giveBack: (replicaId: string, texts: string[]) => void): void {
    this.giveBack = giveBack;
    if (this.config.peerWakes) this.looking.start();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.looking.stop();
    for (const { stream } of this.ways.values()) stream?.end();
  }

  /** How many replicas are told over a link now. */
  get count(): number {
    return [...this.ways.values()].filter(({ stream }) => stream !== undefined).length;
  }

  /** @returns false where they must go another way */
  tell(replicaId: string, texts: () => readonly string[]): boolean {
    if (!this.config.peerWakes || this.isStopped) return false;
    const way = this.ways.get(replicaId) ?? { stream: undefined, isOpening: false, notBefore: 0 };
    this.ways.set(replicaId, way);
    if (way.stream !== undefined) {
      way.stream.send(texts());
      return true;
    }
    if (!way.isOpening && performance.now() >= way.notBefore) void this.open(replicaId, way);
    return false;
  }

  private async open(replicaId: string, way: Way): Promise<void> {
    way.isOpening = true;
    try {
      const stream = await this.peers.openWakes(replicaId);
      stream.whenOver((texts) => {
        way.stream = undefined;
        way.notBefore = performance.now() + REST_MS;
        if (texts.length > 0) this.giveBack(replicaId, texts);
      });
      way.stream = stream;
      if (this.isStopped) stream.end();
    } catch (error) {
      way.notBefore = performance.now() + REST_MS;
      this.log.debug({ replica: replicaId, err: error }, 'no link for hints: NOTIFY carries them');
    } finally {
      way.isOpening = false;
    }
  }

  private look(): Promise<void> {
    const now = performance.now();
    for (const [replicaId, { stream, isOpening, notBefore }] of this.ways) {
      if (stream !== undefined && stream.waitingMs(now) > TAKEN_WITHIN_MS) {
        this.log.warn({ replica: replicaId }, 'hints over its link are not taken: NOTIFY carries them');
        stream.end();
      }
      if (stream === undefined && !isOpening && now - notBefore > FORGOTTEN_AFTER_MS)
        this.ways.delete(replicaId);
    }
    return Promise.resolve();
  }
}
