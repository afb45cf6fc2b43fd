import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { PlayedHub } from '../../../src/conformance/of-broker/played-hub.js';
import type { Program } from '../../../src/conformance/of-broker/stage.js';
import type { Pace } from '../../../src/conformance/pace.js';
import type { DispatchItem, HubFrame, ResultItem } from '../../../src/protocol/frame.js';
import { PollingSocket } from './polling-socket.js';

type End = Omit<ResultItem, 'id' | 'attempt'>;
type Kept = { id: string; attempt: number; end: End | undefined; isConfirmed: boolean };

const CANCELLED: End = { outcome: 'cancelled' };
/** How an attempt ends that came to no word of the hub. */
const CUT_OFF = { code: 1006, reason: '', retryAfterMs: 0, wasMove: false, wasPromote: false };
/** Whoever has a fault that is none of these holds no second link, so that its rule is tried by itself. */
const STANDS_BY = [
  undefined,
  'tells nobody that it stands by',
  'talks while it stands by',
  'stands by as another',
  'promotes nothing',
  'promotes an old epoch',
  'tells no inventory where it promotes',
  'trusts in its standby',
];
const STANDBY_EVERY_MS = 50;
/** WebSockets that did not open in a row, after which it polls. */
const UNOPENED_MOST = 2;
const SOCKET_AGAIN_MS = 40;
const failed = (code: string): End =>
  ({ outcome: 'failed', error: { code, message: code, retryable: false } }) as End;

/** What stays when the process dies. */
class Disk {
  readonly key = generateKeyPairSync('ed25519');
  membership: { brokerId: string; hubId: string } | undefined;
  journalId = randomUUID();
  lastEpoch = 0;
  journal = new Map<string, Kept>();
  lockedBy: BrokenBroker | undefined;
}

/** A broker in this process that keeps every rule but for one fault, which has a name. */
export class BrokenBroker implements Program {
  private life: Life | undefined;
  private readonly disk: Disk;

  constructor(
    readonly hub: PlayedHub,
    readonly pace: Pace,
    readonly fault: string | undefined,
    disk = new Disk(),
  ) {
    this.disk = disk;
  }

  start(): void {
    if (this.disk.lockedBy !== undefined && this.fault !== 'no lock') return;
    this.disk.lockedBy = this;
    this.life = new Life(this.hub, this.pace, this.fault, this.disk);
    void this.life.run();
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (signal === 'SIGTERM' && this.fault === 'minds no signal') return new Promise(() => undefined);
    const { life } = this;
    this.life = undefined;
    if (this.disk.lockedBy === this) this.disk.lockedBy = undefined;
    if (signal === 'SIGTERM') await life?.leave();
    life?.die();
  }

  startAnother(): () => Promise<void> {
    const other = new BrokenBroker(this.hub, this.pace, this.fault, this.disk);
    other.start();
    return () => other.end('SIGKILL');
  }
}

/** One process of it. */
class Life {
  private readonly bootId = randomUUID();
  private readonly ending = new AbortController();
  private readonly sockets = new Set<WebSocket>();
  private readonly running = new Map<string, AbortController>();
  private readonly turns = new Map<string, Promise<void>>();
  private newest: WebSocket | undefined;
  /** Held ready, once the hub has said that it is. */
  private standby: WebSocket | undefined;
  /** That has opened beside the polls, and is to take their place. */
  private better: WebSocket | undefined;
  private unopened = 0;
  private token: string | undefined;
  private offsetMs = 0;
  private heardMs = 0;
  private livenessMs = 0;
  private lastJti = randomUUID();
  private proofJti = randomUUID();
  private isOver = false;

  constructor(
    private readonly hub: PlayedHub,
    private readonly pace: Pace,
    private readonly fault: string | undefined,
    private readonly disk: Disk,
  ) {}

  die(): void {
    this.isOver = true;
    this.ending.abort();
    for (const cancelling of this.running.values()) cancelling.abort('death');
    for (const socket of this.sockets) socket.terminate();
  }

  async leave(): Promise<void> {
    if (this.fault !== 'no goodbye at the end') this.send(this.newest, { t: 'goodbye', reason: 'told to' });
    await delay(20);
  }

  async run(): Promise<void> {
    if (STANDS_BY.includes(this.fault)) void this.standBy();
    let failures = 0;
    let renewals = 0;
    while (!this.isOver) {
      // Whom the hub cannot be asked by is as good as cut off.
      const end = await this.attempt().catch((error: unknown) => {
        // By its name: it is made outside of the tests' realm.
        if ((error as Error).name !== 'TypeError') throw error;
        return CUT_OFF;
      });
      if (this.isOver) return;
      const { code, retryAfterMs, wasMove, wasPromote } = end;
      if (wasMove || this.standby !== undefined) continue;
      if (wasPromote && this.fault === 'trusts in its standby') return;
      if (code === 4409 && end.reason.startsWith('another') && this.fault !== 'goes on beside a copy') return;
      if (this.fault === `stays away ${code}`) return;
      if (code === 401 || code === 4401) {
        renewals += 1;
        if (this.fault !== 'keeps its token') this.token = undefined;
      }
      failures += 1;
      const isSlow = [403, 404, 426, 4403, 4426].includes(code) || renewals > 1;
      const most = this.pace.reconnectBaseMs * 2 ** (failures - 1);
      let waitMs = this.fault === 'heeds no Retry-After' ? 1 : retryAfterMs + 0.5 * most;
      if (this.fault === 'waits too long' && code === 503) waitMs = 10_000;
      if (this.fault === 'waits without chance') waitMs = most;
      if (isSlow) waitMs = this.fault === `hastens ${code}` ? 1 : 60_000;
      await this.rest(code === 401 && renewals === 1 ? 1 : waitMs);
    }
  }

  /** Holds a second link ready while there is a first one; the hub may refuse it for long. */
  private async standBy(): Promise<void> {
    for (; !this.isOver; await this.rest(STANDBY_EVERY_MS)) {
      const { token } = this;
      if (this.standby !== undefined || this.newest === undefined || token === undefined) continue;
      const socket = this.dial(token, 'fairlead.v1.standby');
      await new Promise<void>((resolve) => {
        socket.on('unexpected-response', () => socket.terminate());
        socket.on('open', () => {
          this.hello(socket, true);
          if (this.fault === 'talks while it stands by') this.beat(socket);
        });
        socket.once('message', () => {
          this.standby = socket;
          resolve();
        });
        socket.on('close', () => {
          if (this.standby === socket) this.standby = undefined;
          resolve();
        });
      });
    }
  }

  private async rest(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.ending.signal }).catch(() => undefined);
  }

  private async post(path: string, body: object): Promise<{ status: number; body: Record<string, any> }> {
    const answer = await fetch(`${this.hub.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    return { status: answer.status, body: (await answer.json()) as Record<string, any> };
  }

  private async credential(): Promise<string | undefined> {
    const { disk, fault } = this;
    if (disk.membership === undefined || fault === 'joins each time') {
      if (disk.membership === undefined || this.token === undefined) {
        const publicKey = publicKeyOf(disk.key.publicKey).slice(fault === 'joins with a short key' ? 1 : 0);
        const { body } = await this.post('/api/v1/brokers/join', {
          token: this.hub.joinToken,
          publicKey,
          name: 'broken',
          fingerprint: 'a'.repeat(64),
          software: 'broken/1.0',
        });
        disk.membership = { brokerId: body.brokerId, hubId: body.hubId };
        this.token = body.accessToken;
      }
    }
    if (this.token !== undefined) return this.token;
    for (let tries = 0; tries < 2; tries += 1) {
      const { status, body } = await this.post('/api/v1/brokers/token', {
        grant_type: 'client_credentials',
        client_assertion: this.assertion(),
      });
      if (status === 200) return (this.token = body.access_token);
      if (body.code === 'clock_skew' && fault !== 'trusts its clock')
        this.offsetMs = Date.parse(body.hubTime) - Date.now();
    }
    return undefined;
  }

  private assertion(): string {
    const { brokerId, hubId } = this.disk.membership ?? { brokerId: '', hubId: '' };
    const iat = Math.floor((Date.now() + this.offsetMs) / 1_000);
    if (this.fault !== 'repeats its jti') this.lastJti = randomUUID();
    const lives = this.fault === 'signs for an hour' ? 3_600 : 55;
    const claims = { iss: brokerId, sub: brokerId, aud: hubId, iat, exp: iat + lives, jti: this.lastJti };
    const key =
      this.fault === 'signs with another key'
        ? generateKeyPairSync('ed25519').privateKey
        : this.disk.key.privateKey;
    return signedBy(key, { alg: 'EdDSA' }, claims);
  }

  private proof(token: string, poll?: { nonce: string | null }): string {
    const { fault } = this;
    const isNamed = typeof poll?.nonce === 'string' && fault !== 'names no connection in its proofs';
    if (fault !== 'repeats its proofs') this.proofJti = randomUUID();
    const { publicKey, privateKey } =
      fault === 'proves another key' ? generateKeyPairSync('ed25519') : this.disk.key;
    const { x } = publicKey.export({ format: 'jwk' });
    const ath = createHash('sha256').update(fault === 'proves another token' ? 'other' : token);
    return signedBy(
      privateKey,
      { typ: 'dpop+jwt', alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x } },
      {
        htm: fault === 'proves another request' || poll !== undefined ? 'POST' : 'GET',
        htu: `${this.hub.url}/api/v1/control${poll === undefined ? '' : '/poll'}`,
        ath: ath.digest('base64url'),
        iat: Math.floor((Date.now() + this.offsetMs) / 1_000),
        jti: this.proofJti,
        ...(isNamed ? { nonce: poll.nonce } : {}),
      },
    );
  }

  /** One link, to its end, or to the moment in which another is to take its place. */
  private async attempt() {
    const token = await this.credential();
    if (token === undefined || this.isOver) return CUT_OFF;
    return new Promise<typeof CUT_OFF>((resolve) => {
      const { fault } = this;
      const left = this.newest;
      const held = fault === 'promotes nothing' ? undefined : this.standby;
      if (held !== undefined) this.standby = undefined;
      const { better } = this;
      this.better = undefined;
      const isUnheld = held === undefined && better === undefined;
      const isPolling = isUnheld && this.unopened >= UNOPENED_MOST && fault !== 'never polls';
      const socket =
        held ?? better ?? (isPolling ? this.dialByPolls(token) : this.dial(token, 'fairlead.v1'));
      // Whatever ends the polls, a WebSocket is tried first again.
      if (isPolling) this.unopened -= 1;
      const ended = { ...CUT_OFF, wasPromote: held !== undefined };
      let isWelcomed = false;
      let beating: NodeJS.Timeout | undefined;
      const pinging = setInterval(() => {
        if (fault !== 'does not ping' && socket.readyState === WebSocket.OPEN) socket.ping();
      }, this.pace.pingMs);
      socket.on('unexpected-response', (_request, { statusCode = 0, headers }) => {
        clearInterval(pinging);
        if (statusCode === 502) this.unopened += 1;
        resolve({ ...ended, code: statusCode, retryAfterMs: 1_000 * Number(headers['retry-after'] ?? 0) });
      });
      socket.on('open', () => {
        if (!isPolling) this.unopened = 0;
        if (fault === 'beats first') this.beat(socket);
        if (fault === 'is late') setTimeout(() => this.hello(socket), 2 * this.pace.helloWithinMs);
        else this.hello(socket);
        if (fault === 'does not wait') this.beat(socket);
        if (fault === 'says more with its first poll' && isPolling) this.beat(socket);
      });
      socket.on('close', (code, reason) => {
        clearInterval(pinging);
        clearInterval(beating);
        if (fault === 'cancels what runs')
          for (const cancelling of this.running.values()) cancelling.abort('the link was lost');
        if (this.newest === socket) this.newest = undefined;
        resolve({ ...ended, code, reason: reason.toString() });
      });
      socket.on('message', (data: Buffer, isBinary) => {
        if (this.isOver) return;
        const frame = readOf(data, isBinary);
        if (frame === undefined || !isKnown(frame)) {
          if (fault !== 'overlooks') socket.close(4400, 'unreadable');
          return;
        }
        if ('surplus' in frame && fault === 'minds fields') return socket.close(4400, 'a field');
        const isStale = this.heardMs > 0 && performance.now() - this.heardMs > this.livenessMs;
        if (isWelcomed && isStale && fault !== 'trusts in silence') return socket.close(4408, 'silence');
        this.heardMs = performance.now();
        if (frame.t === 'welcome') {
          if (frame.epoch <= this.disk.lastEpoch && fault !== 'takes any epoch') return socket.terminate();
          isWelcomed = true;
          this.newest = socket;
          if (fault !== 'forgets its epoch') this.disk.lastEpoch = frame.epoch;
          this.livenessMs = frame.livenessMs;
          if (left !== undefined && fault !== 'leaves without a word')
            this.send(left, { t: 'goodbye', reason: 'moved' });
          this.welcomed(socket, held !== undefined);
          const everyMs = frame.heartbeatMs * (fault === 'beats late' ? 20 : 0.9);
          beating = setInterval(() => fault !== 'beats once' && this.beat(socket), everyMs);
        } else if (frame.t === 'going_away') {
          const slotMs = fault === 'minds no slot' ? 0 : frame.slotMs;
          if (fault === 'ends before it moves') socket.close(1000);
          void this.rest(slotMs).then(() => resolve({ ...ended, wasMove: true }));
        } else {
          this.take(frame, socket);
        }
      });
      if (held !== undefined) this.promote(held);
      else if (better !== undefined) this.hello(better);
      else if (isPolling) void this.seek(socket, token, () => resolve({ ...ended, wasMove: true }));
    });
  }

  /** Opens a WebSocket beside the polls, as soon as one does. */
  private async seek(polls: WebSocket, token: string, found: () => void): Promise<void> {
    if (this.fault === 'stays with its polls') return;
    while (!this.isOver && polls.readyState === WebSocket.OPEN) {
      await this.rest(SOCKET_AGAIN_MS);
      if (this.newest !== polls) continue;
      const socket = this.dial(token, 'fairlead.v1');
      const hasOpened = await new Promise<boolean>((resolve) => {
        socket.on('unexpected-response', () => socket.terminate());
        socket.on('open', () => resolve(true));
        socket.on('close', () => resolve(false));
      });
      if (!hasOpened) continue;
      this.better = socket;
      return found();
    }
  }

  private dialByPolls(token: string): WebSocket {
    const { hub, fault } = this;
    const headers = (nonce: string | null) => ({
      authorization: `DPoP ${token}`,
      dpop: this.proof(token, { nonce }),
    });
    const socket = new PollingSocket({ url: hub.url, headers, fault }) as unknown as WebSocket;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    return socket;
  }

  private dial(token: string, subprotocol: string): WebSocket {
    const { fault } = this;
    const socket = new WebSocket(
      `${this.hub.url.replace('http', 'ws')}/api/v1/control`,
      fault === 'offers nothing' ? ['other'] : subprotocol,
      {
        headers: { authorization: `DPoP ${token}`, dpop: this.proof(token) },
        perMessageDeflate: fault === 'compresses',
        maxPayload: fault === 'takes any size' ? 0 : fault === 'takes less' ? 1_000_000 : 1_048_576,
        autoPong: fault !== 'answers no ping',
      },
    );
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    return socket;
  }

  private promote(socket: WebSocket): void {
    const lastEpoch = this.fault === 'promotes an old epoch' ? 0 : this.disk.lastEpoch;
    this.send(socket, { t: 'promote', lastEpoch, capabilities: ['x.slow'], health: 'online' });
  }

  private hello(socket: WebSocket, isStandby = false): void {
    const { fault, disk } = this;
    const isAnother = fault === 'changes its bootId' || (isStandby && fault === 'stands by as another');
    this.send(socket, {
      t: 'hello',
      protocol: { min: 1, max: 1 },
      bootId: isAnother ? randomUUID() : this.bootId,
      journalId: fault === 'changes its journalId' ? randomUUID() : disk.journalId,
      lastEpoch: fault === 'tells no epoch' ? 0 : disk.lastEpoch,
      software: 'broken/1.0',
      capabilities:
        fault === 'is wordy' ? Array.from({ length: 128 }, () => 'c'.repeat(128)) : ['x.slow', 'agents'],
      labels: {},
      window: 64,
      health: 'online',
      ...(isStandby && fault !== 'tells nobody that it stands by' ? { standby: true } : {}),
    });
    if (fault === 'sends what is none') socket.send('{"t":"ack","acks":[{"id":"none"}]}');
  }

  private welcomed(socket: WebSocket, isPromoted: boolean): void {
    const { fault } = this;
    if (fault === 'beats before its inventory') this.beat(socket);
    const entries = [...this.disk.journal.values()]
      .filter(({ isConfirmed }) => !isConfirmed || fault === 'tells what is confirmed')
      .map(({ id, attempt, end }) => ({
        id,
        attempt,
        status:
          end !== undefined && fault !== 'loses ends' ? 'ended' : this.running.has(id) ? 'running' : 'lost',
      }));
    const isUntold = fault === 'tells no inventory where it promotes' && isPromoted;
    if (fault !== 'tells no inventory' && !isUntold)
      this.send(socket, { t: 'inventory', entries: fault === 'tells nothing' ? [] : entries, last: true });
    if (fault !== 'beats late') this.beat(socket);
  }

  private beat(socket: WebSocket): void {
    const agents = createHash('sha256').update(this.fault === 'counts other agents' ? 'others' : '');
    this.send(socket, {
      t: 'heartbeat',
      health: 'online',
      load: null,
      running: 0,
      agents: agents.digest('hex'),
    });
  }

  private take(frame: HubFrame, socket: WebSocket): void {
    const { fault, disk } = this;
    switch (frame.t) {
      case 'inventory_ok':
        if (fault !== 'tells no list of agents') this.send(socket, { t: 'event', agents: [], list: 'last' });
        for (const kept of disk.journal.values())
          if (!kept.isConfirmed && fault !== 'tells no result again') this.tell(kept, socket);
        break;
      case 'dispatch':
        for (const item of frame.dispatches.slice(0, fault === 'takes the first' ? 1 : undefined))
          if (socket === this.newest || disk.journal.has(item.id) || fault === 'begins on any link')
            if (socket === this.newest || fault !== 'is deaf on older links') this.do(item, socket);
        break;
      case 'agents_wanted':
        if (fault !== 'keeps its agents to itself')
          this.send(socket, { t: 'event', agents: [], list: 'last' });
        break;
      case 'cancel':
        for (const { id, attempt } of frame.cancels) this.cancel(id, attempt, socket);
        break;
      case 'confirm':
        for (const id of frame.ids) {
          const kept = disk.journal.get(id);
          if (kept !== undefined) kept.isConfirmed = true;
          if (fault === 'forgets what is confirmed') disk.journal.delete(id);
        }
        break;
      default:
        break;
    }
  }

  private do(item: DispatchItem, socket: WebSocket): void {
    const { disk, fault } = this;
    const known = disk.journal.get(item.id);
    const isNew = known === undefined || fault === 'does it again';
    const kept = isNew ? { id: item.id, attempt: item.attempt, end: undefined, isConfirmed: false } : known;
    kept.attempt = known !== undefined && fault === 'keeps the first attempt' ? known.attempt : item.attempt;
    disk.journal.set(item.id, kept);
    if (fault === 'acks before its journal') disk.journal.delete(item.id);
    const attempt = fault === 'acks attempt 1' ? 1 : kept.attempt;
    const ack = () => this.send(socket, { t: 'ack', acks: [{ id: item.id, attempt }] });
    if (fault === 'acks late') setTimeout(ack, 20);
    else if (!(known !== undefined && fault === 'acks once')) ack();
    if (!isNew) return this.tell(kept, socket);
    const cancelling = new AbortController();
    this.running.set(item.id, cancelling);
    const before =
      fault === 'minds no key'
        ? undefined
        : this.turns.get(fault === 'waits for all' ? '' : (item.key ?? item.id));
    const turn = Promise.resolve(before).then(async () => {
      const end = await this.endOf(item, cancelling.signal);
      if (this.isOver || end === undefined) return;
      this.running.delete(item.id);
      kept.end = fault === 'journals no end' ? undefined : end;
      this.send(this.newest ?? socket, { t: 'result', results: [{ ...item0(kept), ...end }] });
    });
    this.turns.set(fault === 'waits for all' ? '' : (item.key ?? item.id), turn);
  }

  private async endOf({ op, remainingMs }: DispatchItem, signal: AbortSignal): Promise<End | undefined> {
    const { fault } = this;
    if (remainingMs === 0 && fault !== 'minds no deadline') return failed('deadline_passed');
    if (op === 'x.slow') {
      // The cancel, or the end of the link, must come in time for its fault to show, on however busy a machine.
      const takesMs = fault === 'fails what is cancelled' || fault === 'cancels what runs' ? 10_000 : 60;
      const isEnded = await delay(takesMs, true, { signal }).catch(() => false);
      if (signal.reason === 'death') return undefined;
      if (!isEnded) return fault === 'fails what is cancelled' ? failed('stopped') : CANCELLED;
      return { outcome: 'succeeded', body: null } as End;
    }
    if (op !== 'broker.ping') return fault === 'does any op' ? CANCELLED : failed('op_unknown');
    const time = `${new Date().toISOString().replace('Z', '')}${Math.random().toFixed(6).slice(2)}Z`;
    return { outcome: 'succeeded', body: fault === 'tells no time' ? null : { time } } as End;
  }

  private cancel(id: string, attempt: number, socket: WebSocket): void {
    const { disk, fault } = this;
    const known = disk.journal.get(id);
    if (known === undefined) {
      if (fault === 'answers no cancel') return;
      const stone = { id, attempt, end: CANCELLED, isConfirmed: false };
      if (fault !== 'leaves no tombstone') disk.journal.set(id, stone);
      return this.tell(stone, socket);
    }
    known.attempt = attempt;
    if (known.end !== undefined && fault === 'cancels what has ended') known.end = CANCELLED;
    this.running.get(id)?.abort('cancelled');
    this.tell(known, socket);
  }

  private tell(kept: Kept, socket: WebSocket): void {
    if (kept.end !== undefined)
      this.send(socket, { t: 'result', results: [{ ...item0(kept), ...kept.end }] });
  }

  private send(socket: WebSocket | undefined, frame: object): void {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  }
}

const item0 = ({ id, attempt }: Kept) => ({ id, attempt });

function publicKeyOf(key: KeyObject): string {
  return String(key.export({ format: 'jwk' }).x);
}

function readOf(data: Buffer, isBinary: boolean): HubFrame | undefined {
  if (isBinary) return undefined;
  try {
    return JSON.parse(data.toString()) as HubFrame;
  } catch {
    return undefined;
  }
}

function isKnown({ t }: HubFrame): boolean {
  return [
    'welcome',
    'inventory_ok',
    'agents_wanted',
    'heartbeat_ack',
    'dispatch',
    'cancel',
    'confirm',
    'going_away',
  ].includes(t);
}

function signedBy(key: KeyObject, head: object, claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode(head)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}
