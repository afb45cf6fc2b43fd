import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { JOIN_PATH } from '../../src/protocol/version.js';
import { thumbprintOf } from '../../src/hub/auth/ed25519.js';
import type { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD, type HubProcess } from '../support/hub-process.js';
import { memoryFolder } from '../support/memory-folder.js';
import { Way } from '../support/way.js';
import { DatabaseProxy } from './support/database-proxy.js';

const DIES_AT_STEP = `--import=${resolve('test/fault/support/dies-at-step.mjs')}`;
const AT_ONCE = 4;

/** One machine with one join token, whatever befalls it. */
type Client = { name: string; home: string; token: string; tokenId: string };
type End = { code: number | null; signal: string | null; out: string; steps: string[] };

describe('a join that is cut short', () => {
  let cluster: Cluster;
  let api: Api;
  let made = 0;
  const homes: string[] = [];
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    api = cluster.api(0);
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  afterAll(async () => {
    await cluster.stop();
    for (const home of homes) rmSync(home, { recursive: true, force: true });
  });

  /** With a seat to spare, so that a second one would be taken rather than refused. */
  async function makeClient(): Promise<Client> {
    const name = `joining-${(made += 1)}`;
    const home = memoryFolder('fairlead-joining-');
    homes.push(home);
    const { body } = await api.post('/api/v1/join-tokens', { seats: 2 });
    return { name, home, token: body.token, tokenId: body.id };
  }

  function run(words: string[], env: Record<string, string>): { child: ChildProcess; ended: Promise<End> } {
    const child = spawn(process.execPath, [FAIRLEAD, 'broker', ...words], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let [out, err] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    const ended = once(child, 'close').then(([code, signal]: unknown[]) => ({
      code: code as number | null,
      signal: signal as string | null,
      out,
      steps: [...err.matchAll(/^step (.*)$/gm)].map(([, step]) => String(step)),
    }));
    return { child, ended };
  }

  const joining = ({ name, home, token }: Client, urls: string[], env: Record<string, string> = {}) =>
    run(['join', urls.join(','), '--name', name, '--label', `client=${name}`, '--home', home, '--json'], {
      FAIRLEAD_JOIN_TOKEN: token,
      ...env,
    });

  const isJoined = ({ home }: Client) => existsSync(join(home, 'broker.json'));
  const contentOf = <T>({ home }: Client, file: string) =>
    JSON.parse(readFileSync(join(home, file), 'utf8')) as T;

  async function brokersOf({ name }: Client): Promise<string[]> {
    const { body } = await api.get('/api/v1/brokers?limit=500');
    const items = body.items as { id: string; labels: Record<string, string> }[];
    return items.filter(({ labels }) => labels.client === name).map(({ id }) => id);
  }

  async function seatsTakenBy({ tokenId }: Client): Promise<number | undefined> {
    const { body } = await api.get('/api/v1/join-tokens?limit=500');
    return (body.items as { id: string; taken: number }[]).find(({ id }) => id === tokenId)?.taken;
  }

  /** What the hub and the machine have of each other. */
  async function standing(client: Client) {
    const brokers = await brokersOf(client);
    if (!isJoined(client)) return { brokers: brokers.length, isItself: false };
    const { brokerId } = contentOf<{ brokerId: string }>(client, 'broker.json');
    const { body } = await api.get(`/api/v1/brokers/${brokerId}`);
    return {
      brokers: brokers.length,
      isItself: brokers[0] === brokerId,
      hasItsKey: body.key.thumbprint === thumbprintOf(contentOf<{ x: string }>(client, 'key.jwk').x),
      seats: await seatsTakenBy(client),
    };
  }

  const WHOLE = { brokers: 1, isItself: true, hasItsKey: true, seats: 1 };

  async function isLinkedOnceStarted({ home, name }: Client): Promise<boolean> {
    run(['start', '--home', home], {});
    return eventually(
      async () => typeof (await api.get(`/api/v1/brokers/${name}`)).body.ownership?.replica === 'string',
      { withinMs: 60_000, everyMs: 100 },
    );
  }

  describe('by kill -9 of the broker', () => {
    let way: Way;

    beforeAll(async () => {
      way = await Way.open(cluster.hub(0).url);
    });

    afterAll(() => way.close());

    it('at any step that it takes on the disk is made whole by the same command', async () => {
      const undisturbed = await joining(await makeClient(), [way.url], { NODE_OPTIONS: DIES_AT_STEP }).ended;
      const { steps } = undisturbed;

      const seen: object[] = [];
      const expected: object[] = [];
      const strike = async (step: string, index: number) => {
        const client = await makeClient();
        const env = { NODE_OPTIONS: DIES_AT_STEP, DIES_AT_STEP: String(index + 1) };
        const { signal } = await joining(client, [way.url], env).ended;
        const wasJoined = isJoined(client);
        const { code, out } = await joining(client, [way.url]).ended;
        const said = (JSON.parse(out) as { error?: { code: string } }).error?.code;
        seen[index] = { step, signal, code: said ?? code, ...(await standing(client)) };
        expected[index] = {
          step,
          signal: 'SIGKILL',
          code: wasJoined ? 'broker_already_joined' : 0,
          ...WHOLE,
        };
      };
      for (let at = 0; at < steps.length; at += AT_ONCE)
        await Promise.all(steps.slice(at, at + AT_ONCE).map((step, next) => strike(step, at + next)));

      expect(undisturbed.code).toBe(0);
      expect(steps.filter((step) => /^rename broker\.json|^link key\.jwk/.test(step))).toHaveLength(2);
      expect(seen).toEqual(expected);
    }, 420_000);

    it.each([
      ['before its request has arrived', 'request', 0],
      ['when its seat is taken, before it has read the answer', 'answer', 1],
    ] as const)('%s is made whole by the same command, and the broker runs', async (_when, of, known) => {
      const client = await makeClient();
      const reached = way.at({ path: JOIN_PATH, of });
      const { child, ended } = joining(client, [way.url]);
      await reached;
      child.kill('SIGKILL');
      await ended;
      expect([isJoined(client), await seatsTakenBy(client), (await brokersOf(client)).length]).toEqual([
        false,
        known,
        known,
      ]);

      const { code } = await joining(client, [way.url]).ended;

      expect(code).toBe(0);
      expect(await standing(client)).toEqual(WHOLE);
      expect(await isLinkedOnceStarted(client)).toBe(true);
    });
  });

  describe('by kill -9 of the replica', () => {
    let proxy: DatabaseProxy;
    let victim: HubProcess;
    let way: Way;

    beforeEach(async () => {
      proxy = await DatabaseProxy.start(cluster.database.url);
      victim = await cluster.addReplica({ DATABASE_URL: proxy.url });
      way = await Way.open(victim.url);
    });

    afterEach(async () => {
      await victim.kill();
      await way.close();
      await proxy.stop();
    });

    /** Of the join, whose last statement writes the audit. */
    const commit = async (part: 'question' | 'answer') => {
      const goOn = await proxy.hold('question', 'write_audit');
      const held = proxy.hold(part, 'commit');
      goOn();
      await held;
    };

    it.each<[string, number, () => Promise<unknown>]>([
      ['before it hears of it', 0, () => way.at({ path: JOIN_PATH, of: 'request' })],
      ['before it takes a seat', 0, () => proxy.hold('question', 'take_seat_of_join_token')],
      ['before it commits', 0, () => commit('question')],
      ['once it has committed, before it knows', 1, () => commit('answer')],
      ['before its answer arrives', 1, () => way.at({ path: JOIN_PATH, of: 'answer' })],
    ])('%s is made whole at the next one, by itself', async (_when, known, moment) => {
      const client = await makeClient();
      const reached = moment();
      const { ended } = joining(client, [way.url, cluster.hub(0).url]);
      await reached;
      expect([await seatsTakenBy(client), (await brokersOf(client)).length]).toEqual([known, known]);
      await victim.kill();
      await way.close();

      expect((await ended).code).toBe(0);
      expect(await standing(client)).toEqual(WHOLE);
      expect(await isLinkedOnceStarted(client)).toBe(true);
    });

    it('where it is the only one known is made whole when the same command is given again', async () => {
      const client = await makeClient();
      const reached = commit('answer');
      const first = joining(client, [way.url]).ended;
      await reached;
      await victim.kill();
      const { code, out } = await first;
      way.leadTo(cluster.hub(0).url);

      const again = await joining(client, [way.url]).ended;

      expect([code, (JSON.parse(out) as { error: { code: string } }).error.code]).toEqual([
        7,
        'hub_unreachable',
      ]);
      expect(again.code).toBe(0);
      expect(await standing(client)).toEqual(WHOLE);
    });
  });
});
