import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Pace } from '../../../src/conformance/pace.js';
import { LIMITS } from '../../../src/protocol/limits.js';
import { Polled, type Poll } from './polled.js';

type Row = {
  id: string;
  attempt: number;
  op: string;
  state: string;
  /** Of the broker that it was sent to. */
  journalId: string | undefined;
  progress: object | null;
  key: string | null;
  isOut: boolean;
  isAcked: boolean;
  result: unknown;
  error: unknown;
};
type Peer = { socket: WebSocket; bootId: string; journalId: string; window: number; isJudged: boolean };

const TOKEN = 'good';
/** More than it needs, since broker and hub share one loop here. */
const PINGS_MOST = 4;
const DEGRADED_MS = 100;
const UNREACHABLE_MS = 1_200;
/** No broker here tells of any agent. */
const DIGEST_OF_NONE = createHash('sha256').digest('hex');

/** A hub in this process that keeps every rule but for one fault, which has a name. */
export class BrokenHub {
  private readonly brokerId = randomUUID();
  private readonly hubId = `urn:${randomUUID()}`;
  private publicKey = '';
  private readonly spent = new Set<string>();
  private epoch = 0;
  private revision = 1;
  private newest: Peer | undefined;
  private hasLeft = false;
  private heardAtMs = 0;
  private readonly polled: Polled[] = [];
  private readonly rows: Row[] = [];
  private readonly acceptor: WebSocketServer;

  private constructor(
    private readonly server: Server,
    private readonly fault: string | undefined,
    private readonly pace: Pace,
  ) {
    this.acceptor = new WebSocketServer({
      noServer: true,
      maxPayload: fault === 'takes any size' ? 0 : LIMITS.frameBytes,
      perMessageDeflate: fault === 'compresses',
      autoPong: fault !== 'answers no ping',
      handleProtocols: ([offered]) => offered ?? false,
    });
  }

  static async open(fault: string | undefined, pace: Pace): Promise<BrokenHub> {
    const server = createServer();
    const hub = new BrokenHub(server, fault, pace);
    server.on('request', (request, response) => void hub.answer(request, response));
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      hub.upgrade(request, socket, head),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const channel of this.polled) channel.close(1001);
    for (const client of this.acceptor.clients) client.terminate();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString();
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, any>;
    const give = (status: number, document: object): void => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(document));
    };
    const { fault } = this;
    const url = String(request.url);
    if (fault === 'breaks off' && !url.endsWith('/join')) {
      request.socket.destroy();
      return;
    }
    if (url.endsWith('/control/poll')) return this.poll(request.headers, body as Poll, give);
    if (url.endsWith('/join')) {
      if (body.surplus !== undefined && fault !== 'minds no fields') return give(400, {});
      if (body.token !== 'seat' && fault !== 'lets anybody join')
        return give(401, { code: 'join_token_invalid' });
      this.publicKey ||= body.publicKey;
      const name = fault === 'renames' ? 'another' : body.name;
      return give(201, {
        brokerId: this.brokerId,
        hubId: this.hubId,
        name,
        accessToken: TOKEN,
        expiresInS: 9,
      });
    }
    if (url.endsWith('/token')) {
      const code = this.judge(String(body.client_assertion));
      if (code === undefined) return give(200, { access_token: TOKEN, expires_in: 900 });
      return give(401, { code, ...(code === 'clock_skew' ? { hubTime: new Date().toISOString() } : {}) });
    }
    if (url.endsWith('/dispatches')) {
      const state = 'pending';
      const row: Row = {
        id: randomUUID(),
        attempt: 0,
        op: body.op,
        state,
        journalId: undefined,
        progress: null,
        key: body.orderingKey,
        isOut: false,
        isAcked: false,
        result: null,
        error: null,
      };
      if (fault === 'turns the order') this.rows.unshift(row);
      else this.rows.push(row);
      this.pump();
      return give(202, { dispatch: row });
    }
    if (url.endsWith(`/brokers/${this.brokerId}`)) {
      return give(200, { presence: { state: this.presence() } });
    }
    const row = this.rows.find(({ id }) => url.includes(id));
    if (row === undefined) return give(404, {});
    if (url.endsWith('/cancel') && fault !== 'passes no cancel on')
      this.say(this.newest, { t: 'cancel', cancels: [{ id: row.id, attempt: row.attempt }] });
    give(200, { dispatch: row });
  }

  private presence(): string {
    const { fault } = this;
    if (this.hasLeft || fault === 'minds no beat') return 'offline';
    const silentMs = fault === 'minds no silence' ? 0 : performance.now() - this.heardAtMs;
    if (silentMs > UNREACHABLE_MS) return fault === 'takes silence for a goodbye' ? 'offline' : 'unreachable';
    return silentMs > DEGRADED_MS ? 'degraded' : 'online';
  }

  private async poll(
    { authorization, dpop }: IncomingMessage['headers'],
    poll: Poll,
    give: (status: number, document: object) => void,
  ): Promise<void> {
    const { fault } = this;
    const { connectionId, first } = poll;
    const wrong =
      authorization === `DPoP ${TOKEN}` ? this.judgeProof(dpop, connectionId) : 'credential_invalid';
    if (wrong !== undefined) return give(401, { code: wrong });
    if (first < 1 && fault !== 'reads any poll') return give(400, { code: 'request_invalid' });
    let channel = this.polled.find((each) => each.connectionId === connectionId);
    if (connectionId === null) {
      channel = new Polled(fault);
      this.polled.push(channel);
      this.opened(channel as unknown as WebSocket);
    }
    if (channel === undefined)
      return fault === 'knows of no end'
        ? give(404, { code: 'not_found' })
        : give(409, { code: 'connection_lost' });
    give(200, await channel.poll(poll));
  }

  private judge(assertion: string): string | undefined {
    const { fault } = this;
    const [header = '', claims = '', signature = ''] = assertion.split('.');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: this.publicKey }, format: 'jwk' });
    const isSigned = verify(
      null,
      Buffer.from(`${header}.${claims}`),
      key,
      Buffer.from(signature, 'base64url'),
    );
    const { iat, jti } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
      iat: number;
      jti: string;
    };
    if (!isSigned && fault !== 'trusts any key') return 'credential_invalid';
    if (Math.abs(Date.now() / 1_000 - iat) > 300)
      return fault === 'tells no time' ? 'credential_invalid' : 'clock_skew';
    if (this.spent.has(jti) && fault !== 'spends nothing') return 'credential_invalid';
    this.spent.add(jti);
    return undefined;
  }

  private judgeProof(
    proof: string | string[] | undefined,
    connectionId: string | null = null,
  ): string | undefined {
    const { fault } = this;
    if (typeof proof !== 'string') return fault === 'needs no proof' ? undefined : 'credential_missing';
    const [header = '', claims = '', signature = ''] = proof.split('.');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: this.publicKey }, format: 'jwk' });
    const signed = Buffer.from(`${header}.${claims}`);
    const isSigned = verify(null, signed, key, Buffer.from(signature, 'base64url'));
    const { iat, jti, nonce } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
      iat: number;
      jti: string;
      nonce?: string;
    };
    if ((nonce ?? null) !== connectionId && fault !== 'minds no nonce') return 'credential_invalid';
    if (!isSigned && fault !== 'takes proofs of any key') return 'credential_invalid';
    if (Math.abs(Date.now() / 1_000 - iat) > 65 && fault !== 'takes old proofs') return 'clock_skew';
    if (this.spent.has(jti) && fault !== 'spends no proof') return 'credential_invalid';
    this.spent.add(jti);
    return undefined;
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { fault } = this;
    socket.on('error', () => socket.destroy());
    const refuse = (status: number, code: string, more: object = {}): void => {
      const text = JSON.stringify({ code, ...more });
      const told = text.length + (fault === 'breaks refusals off' ? 1 : 0);
      socket.end(`HTTP/1.1 ${status} No\r\nconnection: close\r\ncontent-length: ${told}\r\n\r\n${text}`);
    };
    const { authorization, dpop, 'sec-websocket-protocol': offered } = request.headers;
    if (request.url !== '/api/v1/control' && fault !== 'minds no path') return refuse(404, 'not_found');
    if (authorization === undefined && fault !== 'needs no credential')
      return refuse(401, 'credential_missing');
    if (authorization?.startsWith('Bearer ') === true && fault !== 'takes bearers')
      return refuse(401, 'credential_missing');
    if (authorization !== undefined && authorization.replace('Bearer ', 'DPoP ') !== `DPoP ${TOKEN}`)
      return fault === 'is away for strangers'
        ? refuse(503, 'database_unavailable')
        : refuse(401, 'credential_invalid');
    const wrong = authorization === undefined ? undefined : this.judgeProof(dpop);
    if (wrong !== undefined) return refuse(401, wrong, { hubTime: new Date().toISOString() });
    if (offered !== 'fairlead.v1' && offered !== 'fairlead.v1.standby')
      return refuse(
        426,
        'protocol_unsupported',
        fault === 'tells no range' ? {} : { range: { min: 1, max: 1 } },
      );
    this.acceptor.handleUpgrade(request, socket, head, (accepted) => this.opened(accepted));
  }

  private opened(socket: WebSocket): void {
    const { fault, pace } = this;
    let peer: Peer | undefined;
    let stage: 'fresh' | 'greeting' | 'standby' | 'linked' = 'fresh';
    let hello: Record<string, any> = {};
    socket.on('error', () => undefined);
    const end = (code: number, reason = ''): void => socket.close(code, reason);
    const wrong = (name: string): void => {
      if (fault !== name) end(4400);
    };
    const late = setTimeout(() => {
      if (stage === 'fresh' && fault !== 'waits for ever') end(4408);
    }, pace.helloWithinMs);
    let unanswered = 0;
    // A link of before may live on for a while, and says nothing of this one.
    const heard = (): void => {
      if (peer === undefined || this.newest === peer) this.heardAtMs = performance.now();
    };
    socket.on('pong', () => {
      unanswered = 0;
      if (peer !== undefined) heard();
    });
    const pinging = setInterval(() => {
      if (fault === 'does not ping' || socket instanceof Polled) return;
      const most = fault === 'waits for no pong' ? 1 : PINGS_MOST;
      if (unanswered >= most && fault !== 'waits for pongs for ever') return end(4408);
      unanswered += 1;
      socket.ping();
    }, pace.pingMs);
    socket.on('close', () => {
      clearTimeout(late);
      clearInterval(pinging);
      if (this.newest !== peer || peer === undefined) return;
      this.newest = undefined;
      for (const row of this.rows) if (row.isOut && !row.isAcked) row.isOut = fault === 'loses what was out';
    });
    const greet = ({ bootId, journalId, window, lastEpoch }: Record<string, any>): void => {
      stage = 'greeting';
      setTimeout(() => {
        stage = 'linked';
        const former = this.newest;
        peer = { socket, bootId, journalId, window, isJudged: fault === 'needs no inventory' };
        this.newest = peer;
        this.hasLeft = false;
        if (fault === 'forgets polls' && former?.socket instanceof Polled)
          for (const channel of this.polled.splice(0)) channel.close(1001);
        if (fault === 'reads no older link' && former?.bootId === bootId) former?.socket.close(4409);
        if (former !== undefined && former.bootId !== bootId && fault !== 'lets copies be')
          former.socket.close(4409, 'another instance connected with the same credential');
        this.epoch = fault === 'keeps its epoch' ? 1 : Math.max(this.epoch, lastEpoch) + 1;
        this.say(peer, this.welcome(window));
        this.pump();
      }, 5);
    };
    socket.on('message', (data: Buffer, isBinary) => {
      const text = data.toString();
      heard();
      if (isBinary) return wrong('takes binary');
      if (!text.startsWith('{"')) return wrong('overlooks what is none');
      const frame = JSON.parse(text) as Record<string, any>;
      if (stage === 'fresh' && frame.t !== 'hello') return wrong('minds no hello');
      if (stage === 'greeting') return wrong('minds no order');
      if (stage === 'standby' && !['promote', 'goodbye'].includes(frame.t as string))
        return wrong('lets a standby talk');
      if (frame.surplus === true && fault === 'minds fields of frames') return end(4400);
      switch (frame.t) {
        case 'hello': {
          if (stage === 'linked') return wrong('takes two hellos');
          if (data.length > LIMITS.helloBytes) return wrong('takes any hello');
          if (frame.lastEpoch > Math.max(LIMITS.believedMost, this.epoch)) return wrong('believes any epoch');
          if (text.includes('\\u0000')) return wrong('keeps any text');
          if (frame.protocol.min > 1) return fault === 'speaks anything' ? undefined : end(4426);
          if (frame.standby === true && fault !== 'welcomes a standby') {
            if (socket instanceof Polled && fault !== 'stands by over polls') return end(4400);
            if (fault === 'leaves brokers for standbys') this.newest = undefined;
            else if (this.newest !== undefined) return end(1001);
            hello = frame;
            stage = 'standby';
            const alternatives: string[] = [];
            socket.send(
              JSON.stringify({
                t: 'standby_ok',
                connectionId: randomUUID(),
                livenessMs: 45_000,
                alternatives,
              }),
            );
            return;
          }
          return greet(frame);
        }
        case 'promote':
          return fault === 'promotes nobody' ? undefined : greet({ ...hello, ...frame });
        case 'inventory':
          if (peer?.isJudged === true && fault !== 'takes two inventories' && fault !== 'needs no inventory')
            return end(4400);
          if (peer !== undefined) peer.isJudged = true;
          this.say(peer, { t: 'inventory_ok' });
          this.judgeStrangers(peer, frame.entries);
          if (peer !== undefined) this.judgeInventory(peer, frame.entries);
          return this.pump();
        case 'heartbeat':
          if (fault !== 'answers no beat')
            this.say(peer, { t: 'heartbeat_ack', hubTime: new Date().toISOString() });
          if (typeof frame.agents === 'string') {
            const isOther = frame.agents !== DIGEST_OF_NONE && fault !== 'wants no agents';
            if (isOther || fault === 'wants agents all the time') this.say(peer, { t: 'agents_wanted' });
          }
          return;
        case 'event':
          return;
        case 'ack':
          if (frame.acks.length > LIMITS.batch) return wrong('takes long lists');
          for (const { id } of frame.acks) this.row(id, (row) => (row.isAcked = true));
          return this.pump();
        case 'progress':
          for (const { id, fraction, note } of frame.progress)
            this.row(id, (row) => {
              const before = fault === 'forgets what is not said again' ? {} : row.progress;
              const said = Object.entries({ fraction, note }).filter(([, value]) => value !== null);
              if (fault !== 'tells no progress') row.progress = { ...before, ...Object.fromEntries(said) };
            });
          return;
        case 'result':
          for (const item of frame.results) this.settle(item, { socket } as Peer);
          return this.pump();
        case 'capabilities': {
          if (frame.revision > Math.max(LIMITS.believedMost, this.revision + 1))
            return wrong('believes any revision');
          const isPast = frame.revision <= this.revision && fault !== 'takes stale ones';
          const isStale = isPast || this.newest !== peer;
          if (!isStale) this.revision = frame.revision;
          const error = isStale ? { code: 'revision_stale', message: 'stale' } : null;
          return this.say(peer, {
            t: 'capabilities_ack',
            revision: frame.revision,
            stored: this.revision,
            error,
          });
        }
        case 'goodbye':
          if (stage === 'standby' && fault === 'keeps standbys') return;
          // From here on nobody is linked, whenever its socket ends.
          if (peer !== undefined && this.newest === peer) {
            this.newest = undefined;
            this.hasLeft = fault !== 'keeps who has left';
          }
          return end(fault === 'ends without peace' ? 1001 : 1000);
        default:
          return wrong('overlooks types');
      }
    });
  }

  private welcome(window: number): object {
    return {
      t: 'welcome',
      connectionId: randomUUID(),
      brokerId: this.brokerId,
      epoch: this.epoch,
      protocol: 1,
      heartbeatMs: 15_000,
      livenessMs: 45_000,
      limits: { frameBytes: LIMITS.frameBytes, resultBytes: LIMITS.resultBytes, window },
      hubVersion: 'broken/1',
      hubTime: new Date().toISOString(),
      alternatives: [],
      attachments: [],
      capabilitiesRevision: this.revision,
    };
  }

  private row(id: string, change: (row: Row) => void): void {
    const row = this.rows.find((each) => each.id === id);
    if (row !== undefined) change(row);
  }

  /** What is told to run or to have ended, and is no command of this hub. */
  private judgeStrangers(peer: Peer | undefined, entries: Record<string, any>[]): void {
    const { fault } = this;
    const strangers = entries.filter(({ id }) => !this.rows.some((row) => row.id === id));
    const isUnwanted = ({ status }: Record<string, any>): boolean =>
      status === 'running' || fault === 'cancels what has ended';
    const cancels = strangers.filter(isUnwanted).map(({ id, attempt }) => ({
      id,
      attempt: fault === 'cancels another attempt' ? attempt + 1 : attempt,
    }));
    const ids = strangers
      .filter(({ status }) => status !== 'running' || fault === 'confirms what runs')
      .map(({ id }) => id);
    if (ids.length > 0 && fault !== 'keeps strangers') this.say(peer, { t: 'confirm', ids });
    if (cancels.length > 0 && fault !== 'lets strangers run') this.say(peer, { t: 'cancel', cancels });
  }

  /** What another journal may have begun, or what is lost, is not sent again where its op is the broker's own. */
  private judgeInventory({ socket, journalId }: Peer, entries: { id: string; status: string }[]): void {
    const { fault } = this;
    for (const row of this.rows) {
      if (!row.isOut || row.state !== 'pending' || !row.op.startsWith('x.')) continue;
      const said = entries.find(({ id }) => id === row.id)?.status;
      const isOther = said === undefined && row.journalId !== journalId && fault !== 'minds no journal';
      if (said !== 'lost' && !isOther) continue;
      if (fault === 'does again what was lost') {
        row.isOut = row.isAcked = false;
        continue;
      }
      row.state = 'failed';
      row.error = { code: 'outcome_unknown' };
      if (said === 'lost' && fault !== 'confirms nothing')
        this.say({ socket } as Peer, { t: 'confirm', ids: [row.id] });
    }
  }

  private settle(item: Record<string, any>, from: Peer): void {
    const { fault } = this;
    if (!this.rows.some(({ id }) => id === item.id) && fault !== 'hears no stranger')
      return this.say(from, { t: 'confirm', ids: [item.id] });
    this.row(item.id, (row) => {
      const confirm = (): void => this.say(from, { t: 'confirm', ids: [row.id] });
      if (['succeeded', 'failed', 'cancelled'].includes(row.state))
        return fault === 'confirms once' ? undefined : confirm();
      if (item.attempt !== row.attempt && fault !== 'minds no attempt') return;
      if (fault === 'hears the newest link alone' && from.socket !== this.newest?.socket) return;
      row.isAcked = true;
      if (item.error?.retryable === true) {
        if (fault === 'confirms what is tried again') confirm();
        row.isOut = row.isAcked = fault === 'tries nothing again';
        return;
      }
      const isLarge = JSON.stringify(item.body ?? null).length > LIMITS.resultBytes;
      row.state = isLarge && fault !== 'keeps what is large' ? 'failed' : item.outcome;
      if (isLarge) row.error = { code: 'result_too_large' };
      row.result = item.body ?? null;
      if (fault === 'confirms before it commits') row.state = 'running';
      if (fault !== 'confirms nothing') confirm();
    });
  }

  /** Sends what may go out. */
  private pump(): void {
    const { fault, newest } = this;
    if (newest === undefined || !newest.isJudged) return;
    for (const row of this.rows) {
      if (row.isOut || row.state !== 'pending') continue;
      const unacked = this.rows.filter((each) => each.isOut && !each.isAcked && each.state === 'pending');
      if (unacked.length >= newest.window && fault !== 'minds no window') break;
      const holder = this.rows.find((each) => each.key === row.key && each.isOut && each.state === 'pending');
      if (row.key !== null && holder !== undefined && fault !== 'minds no key') continue;
      row.isOut = true;
      row.journalId = newest.journalId;
      if (!(fault === 'keeps the attempt' && row.attempt > 0)) row.attempt += 1;
      const item = { id: row.id, attempt: row.attempt, op: row.op, args: {}, key: row.key };
      const remainingMs = fault === 'leaves no time' ? 0 : 60_000;
      const dispatch = { t: 'dispatch', dispatches: [{ ...item, remainingMs }] };
      if (fault === 'sends on all links')
        for (const socket of this.acceptor.clients) this.say({ socket } as unknown as Peer, dispatch);
      else this.say(newest, dispatch);
    }
  }

  private say(peer: Peer | undefined, frame: object): void {
    if (peer?.socket.readyState === peer?.socket.OPEN) peer?.socket.send(JSON.stringify(frame));
  }
}
