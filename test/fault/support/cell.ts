import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { Api } from '../../support/api.js';
import { BrokerProcess } from '../../support/broker-process.js';
import { eventually } from '../../support/eventually.js';
import type { Boundary } from './boundaries.js';
import { Gate } from './gate.js';
import { PersistentCaller, type Told } from './persistent-caller.js';
import { RowLock } from './row-lock.js';
import { rowsOf, type Row } from './rows.js';

/** What a cell stands on. */
export type Ground = {
  database: pg.Pool;
  databaseUrl: string;
  /** The replica that brokers connect to at first. */
  ownerUrl: string;
  /** The replica that callers ask first. */
  askedUrl: string;
  /** A caller of the replica that is asked where that one gives no answer. */
  next: Api;
};

/** One fault at one boundary: a broker with one agent, a caller with one command, and what can hold them up. */
export class Cell {
  private agentId = '';
  private lock: RowLock | undefined;
  private caller: PersistentCaller | undefined;
  private answer: Promise<Told> | undefined;

  private constructor(
    readonly boundary: Boundary,
    readonly broker: BrokerProcess,
    /** Between the broker and the hub. */
    readonly link: Gate,
    /** Between the caller and the replica that it asks first. */
    readonly front: Gate,
    private readonly ground: Ground,
  ) {}

  static async make(boundary: Boundary, name: string, ground: Ground): Promise<Cell> {
    const [link, front] = await Promise.all([Gate.start(ground.ownerUrl), Gate.start(ground.askedUrl)]);
    const broker = await BrokerProcess.join(ground.next, link.url, name);
    return new Cell(boundary, broker, link, front, ground);
  }

  /** Everything but the command itself. */
  async prepare(): Promise<void> {
    const { boundary, broker, ground } = this;
    // The inventory is told once a link, at its beginning.
    const inventory = boundary.state === 'pending' ? this.hold() : undefined;
    await broker.start(ground.next);
    await inventory;
    const script = `echo "$FAIRLEAD_RUN_ID" >> '${this.witness}'; trap '' TERM; while [ ! -e '${this.end}' ]; do sleep 0.1; done`;
    const { body } = await ground.next.post('/api/v1/agents', {
      name: broker.name,
      broker: broker.name,
      spec: { command: '/bin/sh', args: ['-c', script] },
    });
    this.agentId = body.id;
    if (boundary.verb === 'restart') {
      await ground.next.post(`/api/v1/agents/${this.agentId}/start`, undefined, { prefer: 'wait=30' });
    } else {
      writeFileSync(this.end, '');
    }
  }

  /** Gives the command. @returns when it is at its boundary */
  async arrive(): Promise<void> {
    const { boundary, ground } = this;
    if (boundary.state === null) {
      this.lock = await RowLock.take(ground.databaseUrl, 'select from agent where id = $1', this.agentId);
    }
    const held = boundary.hold !== undefined && boundary.state !== 'pending' ? this.hold() : undefined;
    this.caller = new PersistentCaller([ground.next.at(this.front.url), ground.next]);
    this.answer = this.caller.ask(`/api/v1/agents/${this.agentId}/${boundary.verb}`);
    this.answer.catch(() => undefined);
    await held;
    await this.lock?.isWaitedFor(ground.database);
    await eventually(
      async () => {
        const [row] = await this.rows();
        const seen = { state: row?.state ?? null, effects: this.effects().length };
        if (seen.state === boundary.state && seen.effects === boundary.effects) return true;
        throw new Error(`${JSON.stringify(seen)} is not ${boundary.when}`);
      },
      { withinMs: 30_000, everyMs: 50 },
    );
  }

  /** What waits for the agent's row goes on. */
  async unlock(): Promise<void> {
    await this.lock?.free();
    this.lock = undefined;
  }

  /** Nothing is held up any more. */
  async letGo(): Promise<void> {
    this.link.release();
    this.front.release();
    writeFileSync(this.end, '');
    await this.unlock();
  }

  async brokerId(): Promise<string> {
    return (await this.ground.next.get(`/api/v1/brokers/${this.broker.name}`)).body.id;
  }

  /** What the caller was told in the end. */
  async told(): Promise<Told & { ids: string[] }> {
    if (this.answer === undefined) throw new Error('the command was never given');
    return { ...(await this.answer), ids: [...(this.caller?.ids ?? [])] };
  }

  async rows(): Promise<Row[]> {
    return rowsOf(this.ground.database, this.agentId, `agent.${this.boundary.verb}`);
  }

  /** Its one row in the history, and whatever else there is. */
  async ended(): Promise<{ row: Row; others: Row[] }> {
    return eventually(
      async () => {
        const [row, ...others] = await this.rows();
        return row !== undefined && !row.is_live && { row, others };
      },
      { withinMs: 20_000 },
    );
  }

  /** The runs that the command has begun, as the agent itself wrote them down. */
  effects(): string[] {
    const runs = existsSync(this.witness) ? readFileSync(this.witness, 'utf8').trim().split('\n') : [];
    return this.boundary.verb === 'restart' ? runs.slice(1) : runs;
  }

  async clear(): Promise<void> {
    this.caller?.stop();
    await this.letGo();
    await this.broker.remove();
    await Promise.all([this.link.stop(), this.front.stop()]);
  }

  private get witness(): string {
    return join(this.broker.home, 'witness');
  }

  /** While it is not there, a run goes on. */
  private get end(): string {
    return join(this.broker.home, 'end');
  }

  private hold(): Promise<void> | undefined {
    const { hold } = this.boundary;
    if (hold === undefined) return undefined;
    return (hold.at === 'link' ? this.link : this.front).hold(hold.way, hold.mark);
  }
}
