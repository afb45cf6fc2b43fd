import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';

const COUNT = 8;

describe('fairlead load brokers', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  /** The command as a user runs it, against the first replica. */
  function load(...more: string[]) {
    const [url, token] = [cluster.hub(0).url, cluster.administratorToken];
    const words = ['load', 'brokers', '--count', String(COUNT), '--json', ...more];
    const child = spawn(process.execPath, [FAIRLEAD, ...words], {
      env: { PATH: process.env.PATH, FAIRLEAD_URL: url, FAIRLEAD_TOKEN: token },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.on('data', (text: Buffer) => (said.out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (said.err += text.toString()));
    const ended = once(child, 'close').then(([code]) => ({
      code: code as number,
      summary: JSON.parse(said.out === '' ? 'null' : said.out),
      err: said.err,
    }));
    return { child, said, ended };
  }

  const simulated = async (api = cluster.api(1)) =>
    (await api.get('/api/v1/brokers?limit=100')).body.items as any[];

  it('answers pings while it lasts, and leaves brokers that said goodbye and a token that is of no use', async () => {
    const { child, said, ended } = load('--seconds', '60');
    await eventually(() => said.err.includes(`${COUNT} of ${COUNT} linked`), { withinMs: 30_000 });
    const [broker] = await simulated();
    const { body } = await cluster.api(1).ping(broker.id);
    expect(await cluster.api(1).dispatch(body.dispatch.id, 10)).toMatchObject({ state: 'succeeded' });
    child.kill('SIGINT');

    const { code, summary } = await ended;

    expect([code, summary]).toMatchObject([
      0,
      { count: COUNT, joined: COUNT, linked: COUNT, reconnects: 0, commands: 1, storms: [], troubles: [] },
    ]);
    expect(summary.linkMs.p99).toBeGreaterThanOrEqual(summary.linkMs.p50);
    expect(summary.beats).toBeGreaterThanOrEqual(COUNT);
    const left = await eventually(async () => {
      const all = await simulated();
      return all.every(({ presence }) => presence.state === 'offline') && all;
    });
    expect(left.every(({ name, ownership }) => /^load-/.test(name) && ownership.replica === null)).toBe(true);
    const { body: tokens } = await cluster.api(1).get('/api/v1/join-tokens');
    expect(tokens.items).toMatchObject([{ seats: COUNT, taken: COUNT, revokedAt: expect.any(String) }]);
  });

  it('ends by itself, with 1 where not all were linked by then', async () => {
    const { code, summary } = await load('--seconds', '2', '--rate', '1').ended;

    expect([code, summary]).toMatchObject([1, { count: COUNT, allLinkedMs: null }]);
    expect(summary.linked).toBeLessThan(COUNT);
  });

  it('tells how long a storm took until all were linked again', async () => {
    const { said, ended } = load('--seconds', '60', '--storm');
    await eventually(() => said.err.includes(`${COUNT} of ${COUNT} linked`), { withinMs: 30_000 });
    await cluster.hub(0).kill();

    const { code, summary, err } = await ended;

    expect([code, summary]).toMatchObject([
      0,
      {
        linked: COUNT,
        reconnects: COUNT,
        storms: [{ lost: COUNT, relinkedMs: expect.any(Number) }],
      },
    ]);
    expect(err).toContain('could not be revoked');
  });
});
