import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HUB_RULES } from '../../src/conformance/of-hub/rules.js';
import { HubStage } from '../../src/conformance/of-hub/stage.js';
import { PACE, type Pace } from '../../src/conformance/pace.js';
import { tryRules, type Verdict } from '../../src/conformance/rule.js';
import { expectNoLeaks } from '../support/leaks.js';
import { BrokenHub } from './support/broken-hub.js';

const FAST: Pace = {
  ...PACE,
  withinMs: 200,
  // Long, since what comes too early is to come within it, however busy the machine is.
  quietMs: 2_000,
  helloWithinMs: 60,
  pingMs: 30,
  degradedWithinMs: 1_000,
  unreachableWithinMs: 2_400,
  slackMs: 100,
};

/** For each rule what is wrong with a hub that breaks it. */
const FAULTS: Record<string, string[]> = {
  'hub.join': ['renames'],
  'hub.join-refused': ['lets anybody join', 'minds no fields'],
  'hub.assertion': ['trusts any key', 'spends nothing', 'breaks off'],
  'hub.clock': ['tells no time'],
  'hub.credential-missing': ['needs no credential', 'breaks refusals off'],
  'hub.credential-invalid': ['is away for strangers'],
  'hub.not-found': ['minds no path'],
  'hub.proof': [
    'needs no proof',
    'takes bearers',
    'takes proofs of any key',
    'takes old proofs',
    'spends no proof',
  ],
  'hub.subprotocol': ['tells no range'],
  'hub.upgrade': ['compresses'],
  'hub.welcome': ['keeps its epoch'],
  'hub.first-frame': ['minds no hello'],
  'hub.hello-cap': ['takes any hello'],
  'hub.epoch-cap': ['believes any epoch'],
  'hub.hello-text': ['keeps any text'],
  'hub.version': ['speaks anything'],
  'hub.early': ['minds no order'],
  'hub.second-hello': ['takes two hellos'],
  'hub.inventory-again': ['takes two inventories'],
  'hub.unknown-type': ['overlooks types'],
  'hub.unreadable': ['overlooks what is none'],
  'hub.binary': ['takes binary'],
  'hub.list-cap': ['takes long lists'],
  'hub.revision-cap': ['believes any revision'],
  'hub.frame-cap': ['takes any size'],
  'hub.heartbeat': ['answers no beat', 'minds fields of frames'],
  'hub.agents-wanted': ['wants no agents', 'wants agents all the time'],
  'hub.pong': ['answers no ping'],
  'hub.goodbye': ['ends without peace'],
  'hub.standby': ['welcomes a standby', 'promotes nobody'],
  'hub.standby-beside': ['leaves brokers for standbys'],
  'hub.standby-silent': ['lets a standby talk'],
  'hub.standby-goodbye': ['keeps standbys'],
  'hub.own-newer': ['reads no older link'],
  'hub.copy': ['lets copies be'],
  'hub.capabilities': ['takes stale ones'],
  'hub.hello-late': ['waits for ever'],
  'hub.ping': ['does not ping'],
  'hub.ping-unanswered': ['waits for pongs for ever', 'waits for no pong'],
  'hub.dispatch': ['confirms nothing', 'confirms before it commits', 'leaves no time', 'breaks off'],
  'hub.confirm-again': ['confirms once'],
  'hub.inventory-first': ['needs no inventory'],
  'hub.retry': ['confirms what is tried again', 'tries nothing again', 'keeps the attempt'],
  'hub.other-attempt': ['minds no attempt'],
  'hub.result-cap': ['keeps what is large'],
  'hub.order': ['minds no key', 'turns the order'],
  'hub.window': ['minds no window'],
  'hub.newest-link': ['sends on all links'],
  'hub.sent-again': ['loses what was out'],
  'hub.any-link': ['hears the newest link alone'],
  'hub.cancel': ['passes no cancel on'],
  'hub.cancel-unknown': [
    'lets strangers run',
    'cancels another attempt',
    'cancels what has ended',
    'confirms what runs',
    'keeps strangers',
    'hears no stranger',
  ],
  'hub.progress': ['tells no progress', 'forgets what is not said again'],
  'hub.lost': ['does again what was lost', 'confirms nothing'],
  'hub.other-journal': ['minds no journal'],
  'hub.goodbye-offline': ['keeps who has left', 'minds no beat'],
  'hub.silence': ['minds no silence', 'takes silence for a goodbye'],
  'hub.poll': ['counts no hello'],
  'hub.poll-again': ['takes numbers twice', 'sends nothing again'],
  'hub.poll-held': ['holds no poll', 'leaves the held poll'],
  'hub.poll-proof': ['spends no proof', 'minds no nonce'],
  'hub.poll-lost': ['knows of no end'],
  'hub.poll-unreadable': ['reads any poll'],
  'hub.poll-standby': ['stands by over polls'],
  'hub.poll-goodbye': ['ends without peace'],
  'hub.poll-moved': ['forgets polls'],
  'hub.poll-command': ['confirms nothing'],
};
const CASES = Object.entries(FAULTS).flatMap(([id, faults]) =>
  faults.map((fault): [string, string] => [id, fault]),
);

describe('the rules for hubs', () => {
  const outcomes = new Map<string, Verdict | undefined>();

  const verdictsOf = async (fault: string | undefined, ids: readonly string[], pace = FAST) => {
    const hub = await BrokenHub.open(fault, pace);
    try {
      const stage = new HubStage(hub.url, 'seat', 'token', pace);
      await stage.join();
      const rules = HUB_RULES.filter(({ id }) => ids.includes(id));
      return await tryRules(rules, stage, {
        signal: new AbortController().signal,
        onVerdict: () => undefined,
        onBroken: () => Promise.resolve(),
      });
    } finally {
      await hub.close();
    }
  };

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

  it('are held by a hub that is as it should be', async () => {
    const pace = { ...FAST, withinMs: 5_000, quietMs: 25, slackMs: 2_000 };

    const verdicts = await verdictsOf(
      undefined,
      HUB_RULES.map(({ id }) => id),
      pace,
    );

    expect(verdicts.filter(({ verdict }) => verdict !== 'held')).toEqual([]);
    expect(verdicts).toHaveLength(HUB_RULES.length);
  });

  it('come to a verdict each, though the hub goes away among them', async () => {
    const hub = await BrokenHub.open(undefined, FAST);
    const stage = new HubStage(hub.url, 'seat', 'token', FAST);
    await stage.join();
    await hub.close();

    const verdicts = await tryRules(HUB_RULES, stage, {
      signal: new AbortController().signal,
      onVerdict: () => undefined,
      onBroken: () => Promise.resolve(),
    });

    expect(verdicts).toHaveLength(HUB_RULES.length);
    // Which was done before.
    expect(verdicts.filter(({ verdict }) => verdict !== 'broken').map(({ id }) => id)).toEqual(['hub.join']);
  });

  it('stand under headings of the page', () => {
    const page = readFileSync('docs/control-channel.md', 'utf8');
    const headings = new Set([...page.matchAll(/^##+ (.+)$/gm)].map(([, heading]) => heading));

    expect(HUB_RULES.filter(({ where }) => !headings.has(where))).toEqual([]);
    expect(new Set(HUB_RULES.map(({ id }) => id)).size).toBe(HUB_RULES.length);
  });

  it('have a fault for each', () => {
    expect(Object.keys(FAULTS).sort()).toEqual(HUB_RULES.map(({ id }) => id).sort());
  });

  it.each(CASES)('%s is broken by one that %s', (id, fault) => {
    expect(outcomes.get(`${id} ${fault}`)).toMatchObject({
      id,
      verdict: 'broken',
    } satisfies Partial<Verdict>);
  });
});
