import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import ts from 'typescript';
import { Gate } from '../fault/support/gate.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

/** A program of docs/examples in a process of its own, as whoever reads the documents runs it. */
class Example {
  readonly home = mkdtempSync(join(tmpdir(), 'fairlead-example-'));
  private child: ChildProcess | undefined;
  private said = '';

  constructor(
    private readonly program: string,
    readonly name: string,
  ) {}

  start(env: Record<string, string>): void {
    this.child = spawn(process.execPath, [this.program, this.home], {
      env: { PATH: process.env.PATH, BROKER_NAME: this.name, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child.stderr?.on('data', (text) => (this.said += String(text)));
  }

  tell(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** @returns its exit code */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    child.kill(signal);
    await once(child, 'close');
    return child.exitCode;
  }

  get complaints(): string {
    return this.said;
  }

  get journal(): string[] {
    return readFileSync(join(this.home, 'journal.jsonl'), 'utf8').trim().split('\n');
  }

  get notes(): string[] {
    const path = join(this.home, 'notes.txt');
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.home, { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
  }
}

describe('the examples of the documents', () => {
  let cluster: Cluster;
  const examples: Example[] = [];
  const folders: string[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start(1);
  }, 60_000);

  afterEach(async () => {
    for (const example of examples.splice(0)) await example.remove();
  });

  afterAll(async () => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  const started = async (program: string, name: string, url = cluster.hub(0).url, env = {}) => {
    const example = new Example(program, name);
    examples.push(example);
    const { body } = await cluster.api(0).post('/api/v1/join-tokens', {});
    example.start({ HUB_URL: url, JOIN_TOKEN: body.token as string, ...env });
    await linked(example, 0);
    return example;
  };
  const broker = async (name: string) => (await cluster.api(0).get(`/api/v1/brokers/${name}`)).body;
  const linked = (example: Example, after: number) =>
    eventually(
      async () => {
        const { ownership } = await broker(example.name);
        if (!(ownership?.epoch > after)) throw new Error(`not linked; it says: ${example.complaints}`);
        return ownership.epoch as number;
      },
      { withinMs: 20_000, everyMs: 50 },
    );
  const ask = async (name: string, op: string, args: object = {}, waitS = 20) => {
    const { status, body } = await cluster
      .api(0)
      .post(`/api/v1/brokers/${name}/dispatches`, { op, args }, waitS > 0 ? { prefer: `wait=${waitS}` } : {});
    return { status, code: body.code, ...body.dispatch } as Record<string, any>;
  };

  describe('a broker in plain JavaScript', () => {
    const PROGRAM = resolve('docs/examples/broker.mjs');

    it('does a command once, though it dies with -9 and the hub sends it again', async () => {
      const example = await started(PROGRAM, 'plain');
      const done = await ask(example.name, 'x.note.append', { text: 'once' });
      expect(done).toMatchObject({ status: 200, state: 'succeeded' });
      await example.end('SIGKILL');
      const { epoch } = (await broker(example.name)).ownership;

      // As a hub has it whose database was put back to before the end.
      const sql = new pg.Client(cluster.database.url);
      await sql.connect();
      await sql.query('delete from broker_dispatch_history where id = $1', [done.id]);
      await sql.query(
        `insert into broker_dispatch (id, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
         select $1, id, 'x.note.append', '{"text":"once"}', 'normal', 'pending', now() + interval '1 minute', $3, '{}', '{}'
         from broker where name = $2`,
        [done.id, example.name, cluster.hub(0).replicaId],
      );
      await sql.end();
      example.start({ HUB_URL: cluster.hub(0).url });
      await linked(example, epoch);

      expect(await cluster.api(0).dispatch(done.id as string, 20)).toMatchObject({ state: 'succeeded' });
      expect(example.notes).toEqual(['once']);
    });

    it('connects again when its link is cut, and tells what was lost on the way, without doing it again', async () => {
      const gate = await Gate.start(cluster.hub(0).url);
      try {
        const example = await started(PROGRAM, 'plain-cut', gate.url);
        const { epoch } = (await broker(example.name)).ownership;
        const told = gate.hold('in', '"t":"result"');
        const { id } = await ask(example.name, 'x.note.append', { text: 'once' }, 0);
        await told;

        gate.part();

        await linked(example, epoch as number);
        expect(await cluster.api(0).dispatch(id as string, 20)).toMatchObject({ state: 'succeeded' });
        expect(example.notes).toEqual(['once']);
      } finally {
        await gate.stop();
      }
    });

    it('answers a ping, an op that it does not know and one that fails, keeps the order, and says goodbye', async () => {
      const example = await started(PROGRAM, 'plain-too');
      const first = ask(example.name, 'x.note.later', { text: 'first', afterMs: 200 });
      await eventually(async () => (await broker(example.name)).presence?.state === 'online');

      const [later, append, ping, broken] = await Promise.all([
        first,
        ask(example.name, 'x.note.append', { text: 'second' }),
        ask(example.name, 'broker.ping'),
        ask(example.name, 'x.note.later', { text: 'never', afterMs: 'soon' }),
      ]);
      const unknown = await ask(example.name, 'x.note.burn');

      expect([later?.state, append?.state, ping?.state]).toEqual(['succeeded', 'succeeded', 'succeeded']);
      expect(broken).toMatchObject({ state: 'failed', error: { code: 'op_failed' } });
      expect([unknown.status, unknown.code]).toEqual([426, 'broker_upgrade_required']);
      expect(example.notes).toEqual(['first', 'second']);
      expect(await example.end('SIGTERM')).toBe(0);
      await eventually(async () => (await broker(example.name)).presence.state === 'offline');
    });

    it('stops what is cancelled, and tells what it lost when it died', async () => {
      const example = await started(PROGRAM, 'plain-three');
      const running = async (id: string) =>
        eventually(async () => (await cluster.api(0).dispatch(id)).state === 'running');
      const given = await ask(example.name, 'x.note.later', { text: 'never', afterMs: 600_000 }, 0);
      await running(given.id as string);

      const { body } = await cluster
        .api(0)
        .post(`/api/v1/dispatches/${given.id}/cancel`, undefined, { prefer: 'wait=20' });

      expect(body.dispatch).toMatchObject({ state: 'cancelled', cancel: { outcome: 'stopped' } });
      const lost = await ask(example.name, 'x.note.later', { text: 'never', afterMs: 600_000 }, 0);
      await running(lost.id as string);
      await example.end('SIGKILL');
      example.start({ HUB_URL: cluster.hub(0).url });
      expect(await cluster.api(0).dispatch(lost.id as string, 20)).toMatchObject({
        state: 'failed',
        error: { code: 'outcome_unknown' },
      });
      expect(example.notes).toEqual([]);
    });
  });

  describe('the journal of a broker in plain JavaScript', () => {
    /** A day and an hour later from the signal on, as a process that goes on has it; its timers do not know. */
    const LATER = `const now = Date.now; let aheadMs = 0; Date.now = () => now() + aheadMs;
      process.on('SIGUSR2', () => (aheadMs = 25 * 3600000));`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(LATER)}`;

    const pinged = async (name: string, count: number) => {
      const ids: string[] = [];
      while (ids.length < count) {
        const some = await Promise.all(Array.from({ length: 30 }, () => ask(name, 'broker.ping')));
        expect(some.map(({ state }) => state)).toEqual(some.map(() => 'succeeded'));
        ids.push(...some.map(({ id }) => id as string));
      }
      return ids;
    };

    it('stays small while it goes on: one line of what is confirmed, and none of what was a day ago', async () => {
      const url = cluster.hub(0).url;
      const example = await started(resolve('docs/examples/broker.mjs'), 'plain-long', url, { NODE_OPTIONS });

      const first = await pinged(example.name, 90);

      await eventually(() => {
        const entries = example.journal.map(
          (line) => JSON.parse(line) as { id?: string; confirmedAt?: number },
        );
        const confirmed = new Set(entries.filter(({ confirmedAt }) => confirmedAt).map(({ id }) => id));
        return first.every((id) => confirmed.has(id));
      });
      // Begun, ended and confirmed, each was a line.
      expect(example.journal.length).toBeLessThan(3 * first.length);
      example.tell('SIGUSR2');
      const second = await pinged(example.name, 120);
      const text = example.journal.join('\n');
      expect(first.filter((id) => text.includes(id))).toEqual([]);
      expect(second.filter((id) => !text.includes(id))).toEqual([]);
    }, 180_000);
  });

  it('have as many lines as their page says', () => {
    const [, lines] = /examples\/broker\.mjs\) is a broker in one file of (\d+) lines/.exec(
      readFileSync('docs/control-channel.md', 'utf8'),
    ) as unknown as [string, string];

    expect(readFileSync('docs/examples/broker.mjs', 'utf8').split('\n')).toHaveLength(Number(lines) + 1);
  });

  describe('a broker within a program', () => {
    /** As it is installed: what it imports is found through the package's exports alone. */
    function installed(): string {
      const folder = mkdtempSync(join(tmpdir(), 'fairlead-embedding-'));
      folders.push(folder);
      const installation = join(folder, 'node_modules/fairlead');
      mkdirSync(installation, { recursive: true });
      cpSync('package.json', join(installation, 'package.json'));
      symlinkSync(resolve(process.env.FAIRLEAD_TEST_BUILT ?? 'dist'), join(installation, 'dist'));
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      const { outputText } = ts.transpileModule(readFileSync('docs/examples/embedded.ts', 'utf8'), {
        compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
      });
      writeFileSync(join(folder, 'embedded.js'), outputText);
      return join(folder, 'embedded.js');
    }

    it('has ops of its own, which the hub takes for it from the moment at which it has them', async () => {
      const example = await started(installed(), 'embedded');

      const [counted, misread, ping] = await Promise.all([
        ask(example.name, 'x.words.count', { text: 'a few words' }),
        ask(example.name, 'x.words.count', { text: 7 }),
        ask(example.name, 'broker.ping'),
      ]);
      const early = await ask(example.name, 'x.report.build', { pages: 3 });
      const loaded = await ask(example.name, 'x.reports.load');
      await eventually(async () => (await broker(example.name)).capabilities.includes('x.report.build'));
      const built = await ask(example.name, 'x.report.build', { pages: 3 });

      expect(counted).toMatchObject({ state: 'succeeded', result: { words: 3 } });
      expect(misread).toMatchObject({
        state: 'failed',
        error: { code: 'args_invalid', message: 'text must be a string' },
      });
      expect(ping).toMatchObject({ state: 'succeeded' });
      expect([early.status, early.code]).toEqual([426, 'broker_upgrade_required']);
      expect(loaded).toMatchObject({ state: 'succeeded', result: null });
      expect(built).toMatchObject({ state: 'succeeded', result: { pages: 3 } });
      expect((await broker(example.name)).capabilities).toEqual([
        'attachments',
        'agents',
        'x.report.build',
        'x.reports.load',
        'x.words.count',
      ]);
      expect(await example.end('SIGTERM')).toBe(0);
      await eventually(async () => (await broker(example.name)).presence.state === 'offline');
    });
  });
});
