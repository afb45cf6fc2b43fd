import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PlayedHub } from '../../src/conformance/of-broker/played-hub.js';
import { BROKER_RULES } from '../../src/conformance/of-broker/rules.js';
import { BrokerStage } from '../../src/conformance/of-broker/stage.js';
import type { Pace } from '../../src/conformance/pace.js';
import { tryRules, type Verdict } from '../../src/conformance/rule.js';
import { expectNoLeaks } from '../support/leaks.js';
import { BrokenBroker } from './support/broken-broker.js';

/** What comes too early for a rule comes within these, however busy the machine is. */
const FAST: Pace = {
  withinMs: 120,
  linkWithinMs: 300,
  quietMs: 1_500,
  helloWithinMs: 60,
  heartbeatMs: 30,
  livenessMs: 60,
  slotMs: 300,
  retryAfterMs: 300,
  reconnectBaseMs: 40,
  pingMs: 20,
  degradedWithinMs: 300,
  unreachableWithinMs: 300,
  ackWithinMs: 100,
  standbyWithinMs: 2_000,
  pollWithinMs: 2_000,
  slackMs: 60,
};

/** For each rule what is wrong with a broker that breaks it. */
const FAULTS: Record<string, string[]> = {
  'broker.join': ['joins with a short key'],
  'broker.upgrade': ['compresses'],
  'broker.renews-4401': ['keeps its token'],
  'broker.proof': [
    'repeats its proofs',
    'proves another key',
    'proves another token',
    'proves another request',
  ],
  'broker.assertion': ['signs for an hour', 'repeats its jti', 'signs with another key'],
  'broker.clock': ['trusts its clock'],
  'broker.renews-401': ['keeps its token'],
  'broker.joins-once': ['joins each time'],
  'broker.retry-after-429': ['heeds no Retry-After'],
  'broker.retry-after-503': ['heeds no Retry-After'],
  'broker.backoff': ['waits too long', 'waits without chance'],
  'broker.hello': ['beats first', 'is late', 'does not wait', 'is wordy'],
  'broker.identity': ['changes its bootId', 'changes its journalId', 'tells no epoch'],
  'broker.epoch-grows': ['takes any epoch'],
  'broker.inventory': ['beats before its inventory', 'tells no inventory'],
  'broker.heartbeat': ['beats late', 'beats once'],
  'broker.agents': ['tells no list of agents', 'keeps its agents to itself', 'counts other agents'],
  'broker.unknown-field': ['minds fields'],
  'broker.unknown-type': ['overlooks'],
  'broker.unreadable': ['overlooks'],
  'broker.binary': ['overlooks'],
  'broker.frame-cap': ['takes any size', 'takes less'],
  'broker.pong': ['answers no ping'],
  'broker.ping': ['does not ping'],
  'broker.silence': ['trusts in silence'],
  'broker.ack': ['acks attempt 1', 'acks late'],
  'broker.ping-op': ['tells no time'],
  'broker.lists': ['takes the first'],
  'broker.op-unknown': ['does any op'],
  'broker.deadline': ['minds no deadline'],
  'broker.repeat': ['does it again', 'acks once'],
  'broker.repeat-attempt': ['does it again', 'keeps the first attempt'],
  'broker.retold': ['tells nothing', 'tells no result again', 'loses ends'],
  'broker.confirmed': ['tells what is confirmed'],
  'broker.kept': ['forgets what is confirmed'],
  'broker.tombstone': ['answers no cancel', 'leaves no tombstone'],
  'broker.cancel-ended': ['cancels what has ended'],
  'broker.cancel-running': ['fails what is cancelled'],
  'broker.order': ['minds no key'],
  'broker.beside': ['waits for all'],
  'broker.lost-link': ['cancels what runs'],
  'broker.slot': ['minds no slot', 'ends before it moves'],
  'broker.moved': ['leaves without a word'],
  'broker.newest-epoch': ['begins on any link'],
  'broker.any-link': ['is deaf on older links'],
  'broker.standby': ['tells nobody that it stands by', 'talks while it stands by', 'stands by as another'],
  'broker.promote': ['promotes nothing', 'promotes an old epoch', 'tells no inventory where it promotes'],
  'broker.promote-refused': ['trusts in its standby'],
  'broker.poll': ['says more with its first poll'],
  'broker.poll-proof': ['repeats its proofs', 'names no connection in its proofs'],
  'broker.poll-again': ['counts what was lost'],
  'broker.poll-back': ['stays with its polls', 'leaves without a word'],
  'broker.epoch-kept': ['forgets its epoch'],
  'broker.journal-kept': ['changes its journalId'],
  'broker.ack-kept': ['acks before its journal'],
  'broker.result-kept': ['journals no end'],
  'broker.once': ['forgets what is confirmed'],
  'broker.tombstone-kept': ['leaves no tombstone'],
  ...Object.fromEntries(
    [1000, 1001, 1009, 4400, 4408, 4429, 4503, 1006].map((code) => [
      `broker.back-${code}`,
      [`stays away ${code}`],
    ]),
  ),
  ...Object.fromEntries(
    [401, 403, 404, 426, 4403, 4426].map((code) => [`broker.slowly-${code}`, [`hastens ${code}`]]),
  ),
  'broker.goodbye': ['no goodbye at the end', 'minds no signal'],
  'broker.lock': ['no lock'],
  'broker.copy': ['goes on beside a copy'],
  'broker.frames': ['sends what is none'],
};

const CASES = Object.entries(FAULTS).flatMap(([id, faults]) =>
  faults.map((fault): [string, string] => [id, fault]),
);

describe('the rules for brokers', () => {
  const outcomes = new Map<string, Verdict | undefined>();

  /** Some beside each other, since each waits for most of its time. */
  beforeAll(async () => {
    const left = [...CASES];
    const some = Array.from({ length: 6 }, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [id, fault] = next;
        outcomes.set(`${id} ${fault}`, (await verdictsOf(fault, [id]))[0]);
      }
    });
    await Promise.all(some);
  }, 60_000);

  afterAll(async () => {
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const verdictsOf = async (fault: string | undefined, ids: readonly string[], pace = FAST) => {
    const hub = await PlayedHub.listen({ host: '127.0.0.1', port: 0 }, pace);
    const broker = new BrokenBroker(hub, pace, fault);
    broker.start();
    const stage = new BrokerStage(hub, pace, broker, { op: 'x.slow', args: {} });
    const rules = BROKER_RULES.filter(({ id }) => ids.includes(id));
    const { signal } = new AbortController();
    try {
      return await tryRules(rules, stage, {
        signal,
        onVerdict: () => undefined,
        onBroken: () => stage.recover(),
      });
    } finally {
      await broker.end('SIGKILL');
      await hub.close();
    }
  };

  it('are held by a broker that is as it should be', async () => {
    const verdicts = await verdictsOf(
      undefined,
      BROKER_RULES.map(({ id }) => id),
      {
        ...FAST,
        quietMs: 25,
        slotMs: 30,
        retryAfterMs: 40,
        withinMs: 5_000,
        linkWithinMs: 5_000,
        slackMs: 500,
      },
    );

    expect(verdicts.filter(({ verdict }) => verdict !== 'held')).toEqual([]);
    expect(verdicts).toHaveLength(BROKER_RULES.length);
  });

  it('about a second link and about polls are left out for one that has none', async () => {
    const ids = BROKER_RULES.map(({ id }) => id).filter((id) => /^broker\.(standby|promote|poll)/.test(id));

    const verdicts = await verdictsOf('never polls', ids, {
      ...FAST,
      standbyWithinMs: 100,
      pollWithinMs: 500,
    });

    expect(verdicts.map(({ id, verdict }) => [id, verdict])).toEqual(ids.map((id) => [id, 'skipped']));
  });

  it('stand under headings of the page', () => {
    const page = readFileSync('docs/control-channel.md', 'utf8');
    const headings = new Set([...page.matchAll(/^##+ (.+)$/gm)].map(([, heading]) => heading));

    expect(BROKER_RULES.filter(({ where }) => !headings.has(where))).toEqual([]);
    expect(new Set(BROKER_RULES.map(({ id }) => id)).size).toBe(BROKER_RULES.length);
  });

  it('have a fault for each', () => {
    expect(Object.keys(FAULTS).sort()).toEqual(BROKER_RULES.map(({ id }) => id).sort());
  });

  it.each(CASES)('%s is broken by one that %s', (id, fault) => {
    expect(outcomes.get(`${id} ${fault}`)).toMatchObject({
      id,
      verdict: 'broken',
    } satisfies Partial<Verdict>);
  });
});
