import { Inject, Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { PROTOCOL_RANGE } from '../../protocol/version.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import type { DirectConnection } from '../database/direct.js';
import { DirectConnections } from '../database/direct-connections.js';
import { patiently } from '../database/patience.js';
import { SessionName } from '../database/session-name.js';
import { Lanes } from '../lifecycle/lanes.js';
import { ARRIVALS_REST_MS } from '../lifecycle/arrivals.js';
import { LastGood } from '../lifecycle/last-good.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { CodedError } from '../problems/coded.error.js';
import { SOFTWARE } from '../software.js';
import { Clock } from './clock.js';
import type { ReplicaRow, ReplicaState } from './replica-row.js';
import { ReplicaRepository } from './replica.repository.js';

const BEAT_MS = 1_000;
const JUDGE_MS = 500;
/** A replica that could not renew for this long must assume that it is being declared dead. */
const FENCED_AFTER_MS = 4_000;
const BEAT_ANSWER_WITHIN_MS = 1_000;

/** This replica cannot prove that it is alive, so it may not promise anything. */
export class ReplicaFenced extends CodedError {
  constructor() {
    super('replica_fenced');
  }
}

/** The life of this process as one replica of the hub: enter, beat, judge the others, leave. */
@Injectable()
export class Replica {
  private readonly log = new Logger('cluster');
  private currentId = uuidv7();
  private currentState: ReplicaState = 'starting';
  private beatConnection: DirectConnection | undefined;
  private beating: Loop | undefined;
  private judging: Loop | undefined;
  private readonly beats = new LastGood();
  private publicUrl: string | null = null;
  private advertisedUrl: string | null = null;
  private readonly lostListeners: (() => void)[] = [];

  /** Every broker that connects asks for the alternatives: those who ask at once share what is read then. */
  private readonly asking = new Lanes<undefined, string[]>(
    async (askers) => {
      const urls = await this.repository.publicUrls(this.currentId);
      return askers.map(() => [...urls]);
    },
    Infinity,
    ARRIVALS_REST_MS,
  );

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly repository: ReplicaRepository,
    private readonly connections: DirectConnections,
    private readonly session: SessionName,
    private readonly loops: Loops,
    private readonly clock: Clock,
  ) {}

  /** Made anew at every boot, and again when the cluster declared this one gone. */
  get id(): string {
    return this.currentId;
  }

  get state(): ReplicaState {
    return this.currentState;
  }

  /**
   * Whether the last good beat is young enough that no other replica can have declared this one dead. Counted
   * from the sending of that beat on the monotonic clock, so a process that was paused knows it on waking.
   */
  get mayAct(): boolean {
    return this.beats.isWithin(FENCED_AFTER_MS);
  }

  /** @throws ReplicaFenced */
  assertMayAct(): void {
    if (!this.mayAct) throw new ReplicaFenced();
  }

  /** Whether a beat that is sent from now on is good, within so many milliseconds. */
  async renewed(withinMs: number): Promise<boolean> {
    return this.beats.again(withinMs);
  }

  /** Calls back when the cluster had declared this replica gone: its links are no longer its own. */
  onLost(listener: () => void): void {
    this.lostListeners.push(listener);
  }

  /**
   * Enters the replica row and begins to beat.
   *
   * @throws DatabaseUnavailable
   */
  async enter(): Promise<void> {
    this.beatConnection ??= this.connections.make({
      purpose: 'beat',
      settings: ['synchronous_commit=off'],
      answerWithinMs: BEAT_ANSWER_WITHIN_MS,
    });
    // Nobody counts on a replica before it is active: a database that goes away meanwhile costs time, and not the boot.
    await patiently(() => this.repository.enter(this.row()));
    await patiently(() => this.beat());
    this.beating = this.loops.make({
      name: 'beat',
      everyMs: BEAT_MS,
      faultCapMs: BEAT_MS,
      turn: () => this.beat(),
    });
    this.judging = this.loops.make({
      name: 'judge',
      everyMs: JUDGE_MS,
      faultCapMs: JUDGE_MS,
      turn: () => this.judge(),
    });
    this.beating.start();
    this.judging.start();
  }

  /** Where people and brokers find this one; null until it serves them. */
  get address(): string | null {
    return this.publicUrl;
  }

  /** Where the other replicas find this one; null until it listens for them. */
  get internalUrl(): string | null {
    return this.advertisedUrl;
  }

  /** Tells the others where they find this one. */
  async advertise(internalUrl: string): Promise<void> {
    this.advertisedUrl = internalUrl;
    await patiently(() => this.repository.advertise(this.currentId, internalUrl));
  }

  /** From here on brokers may be sent here. @param publicUrl where they find this replica by itself */
  async activate(publicUrl: string): Promise<void> {
    this.publicUrl = publicUrl;
    this.currentState = 'active';
    await patiently(() => this.repository.activate(this.currentId, publicUrl));
  }

  /** Says to all that this replica takes no new brokers. */
  async beginDrain(): Promise<void> {
    this.currentState = 'draining';
    await this.repository.setState(this.currentId, 'draining');
  }

  /** Ends the beats and marks the row as gone. Works without the database too: then the others notice. */
  async leave(): Promise<void> {
    await Promise.all([this.beating?.stop(), this.judging?.stop()]);
    this.currentState = 'gone';
    await this.repository.setState(this.currentId, 'gone').catch((error: unknown) => {
      this.log.warn({ err: error }, 'could not mark this replica as gone; the others will notice');
    });
    await this.beatConnection?.close();
  }

  async list(): Promise<ReplicaRow[]> {
    return this.repository.list();
  }

  /** Where brokers find the other live replicas. */
  async alternatives(): Promise<string[]> {
    return this.asking.add(undefined);
  }

  /** Whether another replica could take brokers over. */
  async hasPeers(): Promise<boolean> {
    return this.repository.hasPeers(this.currentId);
  }

  private row() {
    return {
      id: this.currentId,
      name: this.config.replicaName,
      sessionName: this.session.value,
      publicUrl: this.publicUrl,
      internalUrl: this.advertisedUrl,
      software: SOFTWARE,
      protocol: PROTOCOL_RANGE,
      state: this.currentState,
    };
  }

  private async beat(): Promise<void> {
    if (this.beatConnection === undefined) return;
    const sentAt = performance.now();
    const wallSentAt = Date.now();
    const databaseTime = await this.repository.beat(this.beatConnection, this.currentId);
    if (databaseTime === undefined) {
      await this.enterAgain();
      return;
    }
    this.clock.measured(databaseTime, wallSentAt, Date.now());
    this.beats.note(sentAt);
  }

  /** Another replica declared this one gone, rightly or not: its id is spent, and so are its connections. */
  private async enterAgain(): Promise<void> {
    this.log.warn(
      { replica: this.currentId },
      'this replica was declared gone; it enters again under a new id',
    );
    this.beats.forget();
    this.currentId = uuidv7();
    for (const listener of this.lostListeners) listener();
    await this.repository.enter(this.row());
  }

  private async judge(): Promise<void> {
    const dead = await this.repository.buryDead(this.currentId);
    if (dead.length > 0) {
      this.log.warn({ replicas: dead.map(({ id }) => id) }, 'replicas are silent for 5 s and count as gone');
      await this.repository.endSessions(dead.map(({ sessionName }) => sessionName));
    }
    const brokers = await this.repository.releaseOrphans();
    if (brokers.length > 0)
      this.log.log({ brokers: brokers.length }, 'released the connections of gone replicas');
  }
}
