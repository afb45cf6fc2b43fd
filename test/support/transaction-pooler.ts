import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';

const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;

/** One session of the real server, past its authentication, as bare bytes. */
type Session = { stream: Socket; lentTo: Client | undefined; lentBefore: Client | undefined };

type Behaviour = {
  sessions?: number;
  /** `refuse`: as PgBouncer does it by default; `drop`: as it does where it is told to ignore them. */
  options?: 'refuse' | 'drop';
};

/**
 * A pooler in transaction mode: many clients share few sessions of a real server. A client is lent the session that
 * has rested longest and loses it when the server says that no transaction is open, so that its next transaction
 * meets another one: what a session keeps, a prepared statement, a setting, a LISTEN, is not there any more.
 */
export class TransactionPooler {
  private readonly clients = new Set<Client>();
  private readonly sessions = new Set<Session>();
  private readonly idle: Session[] = [];
  private readonly queue: Client[] = [];
  /** How often a session was lent to another client than before. */
  handed = 0;
  /** Names of statements that clients wanted a session to keep. */
  readonly named: string[] = [];
  /** Loses the server's answer to a message that contains this, after the server has carried it out. */
  loseAnswerTo: string | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: string,
    private readonly behaviour: Required<Behaviour>,
    readonly url: string,
  ) {}

  static async start(databaseUrl: string, behaviour: Behaviour = {}): Promise<TransactionPooler> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as { port: number }).port);
    const all = { sessions: 4, options: 'refuse', ...behaviour } as const;
    const pooler = new TransactionPooler(server, databaseUrl, all, url.href);
    for (let count = 0; count < all.sessions; count += 1) await pooler.addSession();
    server.on('connection', (socket) => pooler.take(socket));
    return pooler;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.clients) socket.destroy();
    for (const { stream } of this.sessions) stream.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  /** The driver makes the connection and authenticates it; what comes then is ours. */
  private async addSession(): Promise<void> {
    const client = new pg.Client(this.target);
    client.on('error', () => undefined);
    await client.connect();
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    stream.removeAllListeners();
    const session: Session = { stream, lentTo: undefined, lentBefore: undefined };
    const messages = new Messages();
    stream.on('error', () => undefined);
    stream.on('close', () => this.sessions.delete(session));
    stream.on('data', (data) => {
      for (const message of messages.take(data)) this.answer(session, message);
    });
    this.sessions.add(session);
    this.giveBack(session);
  }

  private take(socket: Socket): void {
    const client: Client = { socket, session: undefined, waiting: [], open: 0 };
    this.clients.add(client);
    let messages: Messages | undefined;
    let greeting = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.left(client));
    socket.on('data', (data) => {
      if (messages === undefined) {
        greeting = Buffer.concat([greeting, data]);
        while (messages === undefined && greeting.length >= 8 && greeting.length >= greeting.readInt32BE(0)) {
          const first = greeting.subarray(0, greeting.readInt32BE(0));
          greeting = greeting.subarray(first.length);
          if (this.greet(client, first)) messages = new Messages();
        }
        data = greeting;
      }
      for (const message of messages?.take(data) ?? []) this.ask(client, message);
    });
  }

  /** @returns whether the client is greeted, without asking for its password */
  private greet({ socket }: Client, message: Buffer): boolean {
    const code = message.readInt32BE(4);
    if (code === SSL_REQUEST) socket.write('N');
    else if (code === CANCEL_REQUEST) socket.destroy();
    if (code === SSL_REQUEST || code === CANCEL_REQUEST) return false;
    const words = message.subarray(8).toString().split('\0');
    const isSet = words.some((word, place) => place % 2 === 0 && word === 'options');
    if (isSet && this.behaviour.options === 'refuse') {
      socket.end(refusal('08P01', 'unsupported startup parameter: options'));
      return false;
    }
    const version = told('S', Buffer.from('server_version\x0015.0\0'));
    socket.write(Buffer.concat([told('R', int32(0)), version, told('K', int32(1, 1)), READY]));
    return true;
  }

  private ask(client: Client, message: Buffer): void {
    const type = String.fromCharCode(message[0] ?? 0);
    if (type === 'X') return void client.socket.end();
    if (type === 'Q' || type === 'S') client.open += 1;
    const name = type === 'P' ? message.toString('utf8', 5, message.indexOf(0, 5)) : '';
    if (name !== '') this.named.push(name);
    if (this.loseAnswerTo !== undefined && message.includes(this.loseAnswerTo)) {
      client.isToBeLost = true;
      this.loseAnswerTo = undefined;
    }
    if (client.session !== undefined) return void client.session.stream.write(message);
    client.waiting.push(message);
    if (!this.queue.includes(client)) this.queue.push(client);
    this.lend();
  }

  private lend(): void {
    while (this.queue.length > 0 && this.idle.length > 0) {
      const client = this.queue.shift();
      const session = this.idle.shift();
      if (client === undefined || session === undefined) return;
      client.session = session;
      session.lentTo = client;
      if (session.lentBefore !== client) this.handed += 1;
      session.lentBefore = client;
      session.stream.write(Buffer.concat(client.waiting.splice(0)));
    }
  }

  private answer(session: Session, message: Buffer): void {
    const client = session.lentTo;
    // What the session was told to listen to was another client's wish.
    if (client === undefined || message[0] === ASCII_A) return;
    if (client.isToBeLost === true) {
      if (message[0] === ASCII_Z) client.socket.end(refusal('08P01', 'server conn crashed?'));
    } else {
      client.socket.write(message);
    }
    if (message[0] !== ASCII_Z) return;
    client.open -= 1;
    if (client.open > 0 || message[5] !== ASCII_I) return;
    client.session = undefined;
    this.giveBack(session);
  }

  private giveBack(session: Session): void {
    session.lentTo = undefined;
    this.idle.push(session);
    this.lend();
  }

  /** A transaction that its client leaves open ends with its session, and another session takes its place. */
  private left(client: Client): void {
    this.clients.delete(client);
    const { session } = client;
    if (session === undefined) return;
    client.session = undefined;
    session.lentTo = undefined;
    session.stream.destroy();
    this.sessions.delete(session);
    this.addSession().catch(() => undefined);
  }
}

type Client = {
  socket: Socket;
  session: Session | undefined;
  /** Until it is lent a session. */
  waiting: Buffer[];
  /** Questions that the server has not finished answering. */
  open: number;
  isToBeLost?: boolean;
};

/** Cuts a stream of bytes into messages: a letter, the length of what follows, and that. */
class Messages {
  private rest: Buffer = Buffer.alloc(0);

  take(data: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
    const found: Buffer[] = [];
    while (this.rest.length >= 5 && this.rest.length > this.rest.readInt32BE(1)) {
      const length = this.rest.readInt32BE(1) + 1;
      found.push(this.rest.subarray(0, length));
      this.rest = this.rest.subarray(length);
    }
    return found;
  }
}

const ASCII_A = 'A'.charCodeAt(0);
const ASCII_Z = 'Z'.charCodeAt(0);
const ASCII_I = 'I'.charCodeAt(0);

function told(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, place) => bytes.writeInt32BE(value, place * 4));
  return bytes;
}

function refusal(code: string, message: string): Buffer {
  return told('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`));
}

const READY = told('Z', Buffer.from('I'));
