import { describe, expect, it } from '@jest/globals';
import { UNACKED_BYTES_MOST } from './unacked.js';
import { WhyDto } from './dto/why.dto.js';
import { CAUSES, causeOf, explain, type Cause, type Circumstances } from './why.js';

const NOW = new Date('2026-08-01T12:00:00Z');
const BLOCKER = '0198f1a2-7c44-7e11-9d5e-bbbbbbbbbbbb';
const past = (seconds: number) => new Date(NOW.getTime() - seconds * 1000);
const ahead = (seconds: number) => past(-seconds);

/** A command in whose way nothing is, but for what is given. */
function circumstances(given: Partial<Circumstances> = {}): Circumstances {
  return {
    id: '0198f1a2-7c44-7e11-9d5e-aaaaaaaaaaaa',
    state: 'pending',
    op: 'agent.start',
    attempt: 0,
    failures: 0,
    contract: 'until',
    orderingKey: 'a-key',
    notBefore: null,
    retryAt: null,
    deadlineAt: ahead(900),
    cancelRequestedAt: null,
    claimedAt: null,
    createdAt: past(10),
    endedAt: null,
    errorCode: null,
    now: NOW,
    brokerName: 'build-1',
    revokedAt: null,
    capabilities: ['runtime.process'],
    projectName: null,
    attachment: null,
    attachmentChangedAt: null,
    isReadOnly: false,
    holderId: '0198f1a2-7c44-7e11-9d5e-cccccccccccc',
    holderName: 'hub-0',
    holderState: 'active',
    holderSeenAt: past(0.4),
    epoch: 7,
    readyEpoch: 7,
    heldSince: past(60),
    releasedAt: null,
    releaseReason: null,
    windowSize: 64,
    presence: 'online',
    brokerSeenAt: past(3),
    position: 0,
    unacked: 0,
    unackedBytes: 0,
    argsBytes: 2,
    blockerId: null,
    blockerState: null,
    blockerOp: null,
    blockerSince: null,
    ...given,
  };
}

/** What brings each cause about, by itself. The order is that in which causes are looked for. */
const BRINGS_ABOUT: Readonly<Record<Cause, Partial<Circumstances>>> = {
  ended: { endedAt: past(1) },
  broker_unknown: { brokerName: null },
  broker_revoked: { revokedAt: past(5) },
  cancelling: { cancelRequestedAt: past(2) },
  running: { state: 'running' },
  backoff: { retryAt: ahead(4), failures: 2, attempt: 2 },
  not_before: { notBefore: ahead(30) },
  broker_offline: { holderId: null },
  broker_unreachable: { presence: 'unreachable' },
  capability_missing: { capabilities: [] },
  draining: { holderState: 'draining' },
  held_by_order: { blockerId: BLOCKER, blockerState: 'running', blockerOp: 'agent.stop' },
  inventory_due: { readyEpoch: 6 },
  window_full: { windowSize: 2, unacked: 2 },
  unacknowledged: { state: 'claimed', claimedAt: past(3) },
  next: {},
};

describe('what a command waits for', () => {
  it.each(Object.entries(BRINGS_ABOUT))('is %s', (cause, given) => {
    expect(causeOf(circumstances(given))).toBe(cause);
  });

  it('is the first that holds, in an order in which mending one does not help before those above it', () => {
    const pending = [
      'ended',
      'broker_unknown',
      'broker_revoked',
      'cancelling',
      'backoff',
      'not_before',
      'broker_offline',
      'capability_missing',
      'held_by_order',
      'window_full',
      'draining',
      'next',
    ] as const satisfies Cause[];

    const seen = pending.map((_cause, from) =>
      causeOf(circumstances(Object.assign({}, ...pending.slice(from).map((each) => BRINGS_ABOUT[each])))),
    );

    expect(seen).toEqual(pending);
  });

  it('is the window where the arguments are more than may be unacknowledged, and not where they just fit', () => {
    const waiting = { unacked: 16, unackedBytes: UNACKED_BYTES_MOST - 2 };

    expect(causeOf(circumstances({ ...waiting, argsBytes: 3 }))).toBe('window_full');
    expect(causeOf(circumstances({ ...waiting, argsBytes: 2 }))).toBe('next');
    expect(causeOf(circumstances({ ...waiting, argsBytes: 3, state: 'claimed' }))).toBe('unacknowledged');
    expect(explain(circumstances({ ...waiting, argsBytes: 3 })).explanation).toContain('4194302 bytes');
    expect(explain(circumstances(BRINGS_ABOUT.window_full)).explanation).toContain('2 commands');
  });

  it('is the window where more is claimed than that takes, and not where it is just full', () => {
    const given = { state: 'claimed', windowSize: 2 } as const;

    expect(causeOf(circumstances({ ...given, unacked: 3 }))).toBe('window_full');
    expect(causeOf(circumstances({ ...given, unacked: 2 }))).toBe('unacknowledged');
  });

  it.each(['backoff', 'not_before', 'capability_missing', 'held_by_order', 'window_full'] as const)(
    'is no %s once it is with the broker',
    (cause) => {
      const given = BRINGS_ABOUT[cause];

      expect(causeOf(circumstances({ ...given, state: 'claimed' }))).toBe('unacknowledged');
      expect(causeOf(circumstances({ ...given, state: 'running' }))).toBe('running');
    },
  );

  it('is no rest whose time has come', () => {
    expect(causeOf(circumstances({ retryAt: NOW, notBefore: past(1) }))).toBe('next');
  });

  it('is the absence of the broker that has it, and not its answer', () => {
    for (const state of ['claimed', 'running'] as const)
      expect(causeOf(circumstances({ state, holderId: null }))).toBe('broker_offline');
  });

  it('tells a broker that is silent for long from one that has just left', () => {
    expect(causeOf(circumstances({ holderId: null, presence: 'unreachable' }))).toBe('broker_unreachable');
    expect(causeOf(circumstances({ holderId: null, presence: 'degraded' }))).toBe('broker_offline');
    expect(causeOf(circumstances({ state: 'running', presence: 'unreachable' }))).toBe('broker_unreachable');
  });

  it('is the drain, and no inventory that is due, where the broker is about to move', () => {
    expect(causeOf(circumstances({ readyEpoch: 6, holderState: 'draining' }))).toBe('draining');
  });

  it('is not held against a broker that has never said what it can do', () => {
    expect(causeOf(circumstances({ capabilities: null }))).toBe('next');
  });

  it('is not what its op does not need', () => {
    expect(causeOf(circumstances({ op: 'broker.ping', capabilities: [] }))).toBe('next');
  });
});

describe('the explanation', () => {
  it.each(CAUSES)('says for %s what is the case, and what would unblock it', (cause) => {
    const said = explain(circumstances(BRINGS_ABOUT[cause]));

    expect(said.cause).toBe(cause);
    for (const sentence of [said.explanation, said.unblocks]) {
      expect(sentence).toMatch(/^[A-Z].*\.$/);
      expect(sentence).not.toMatch(/null|undefined|unknown time/);
    }
  });

  it('names the command that comes first, and how to ask about that one', () => {
    const { explanation, unblocks } = explain(circumstances(BRINGS_ABOUT.held_by_order));

    expect(explanation).toContain(`agent.stop ${BLOCKER}, which is running`);
    expect(explanation).toMatch(/^Another command of its ordering key a-key comes first/);
    expect(unblocks).toBe(`That one ends: see \`fairlead why ${BLOCKER}\`.`);
  });

  it('says of a message that comes first that it need only be acknowledged', () => {
    const given = {
      ...BRINGS_ABOUT.held_by_order,
      blockerState: 'claimed',
      blockerOp: 'agent.message',
    } as const;

    expect(explain(circumstances(given)).unblocks).toMatch(/^That one is acknowledged, or ends: see /);
  });

  it('says of what runs past its deadline that it expires without a result', () => {
    const { explanation, unblocks } = explain(circumstances({ state: 'running', deadlineAt: NOW }));

    expect(explanation).toContain('its deadline has passed');
    expect(unblocks).toBe("The broker's result; without one it expires 30 s after its deadline.");
    expect(explain(circumstances({ state: 'running' })).unblocks).toBe("The broker's result.");
  });

  it('does not say of what is claimed that it has left', () => {
    const told = (given: Partial<Circumstances>) => explain(circumstances(given)).explanation;

    expect(told(BRINGS_ABOUT.unacknowledged)).toBe(
      'It was claimed to be sent at 2026-08-01T11:59:57.000Z, and the broker has not said yet that it has it.',
    );
  });

  it('counts failures, and names the time at which it goes on', () => {
    const { explanation } = explain(circumstances(BRINGS_ABOUT.backoff));

    expect(explanation).toBe(
      'It failed 2 times in a way that may pass, and rests until 2026-08-01T12:00:04.000Z.',
    );
  });

  it('counts one failure as one', () => {
    const { explanation } = explain(circumstances({ ...BRINGS_ABOUT.backoff, failures: 1 }));

    expect(explanation).toMatch(/^It failed once in a way/);
  });

  it('tells whether the broker of what is to stop, or of what runs, is there', () => {
    const told = (given: Partial<Circumstances>) => explain(circumstances(given)).explanation;
    const away = { holderId: null };

    expect(told(BRINGS_ABOUT.cancelling)).toBe('It is to be cancelled, and the broker is asked to stop it.');
    expect(told({ ...BRINGS_ABOUT.cancelling, readyEpoch: 6 })).toBe(
      'It is to be cancelled, and the broker is asked to stop it when its inventory says that it has it.',
    );
    expect(told({ ...BRINGS_ABOUT.cancelling, ...away })).toBe(
      'It is to be cancelled, and the broker that has it is not connected.',
    );
    expect(told({ ...BRINGS_ABOUT.running, ...away })).toBe('The broker has it, and is not connected.');
    expect(told({ ...away, releasedAt: past(60) })).toBe(
      'The broker is not connected since 2026-08-01T11:59:00.000Z.',
    );
  });

  it('says of what is claimed that nobody knows whether the broker has it', () => {
    const { explanation } = explain(circumstances({ state: 'claimed', holderId: null }));

    expect(explanation).toBe(
      'It was claimed to be sent, and whether the broker has it is not known while it is not connected.',
    );
  });

  it.each([
    ['pending', 'now_or_fail', true],
    ['pending', 'until', false],
    ['claimed', 'now_or_fail', false],
  ] as const)('of %s and %s says whether the next link decides: %s', (state, contract, decides) => {
    const { unblocks } = explain(circumstances({ state, contract, holderId: null }));

    expect(unblocks.endsWith(' It goes out on that link, or fails with it.')).toBe(decides);
  });

  it('says since when the broker is away, and why it was let go of', () => {
    const given = { holderId: null, releasedAt: past(60), releaseReason: 'goodbye' };

    const { explanation } = explain(circumstances(given));

    expect(explanation).toBe('The broker is not connected since 2026-08-01T11:59:00.000Z (goodbye).');
  });

  it('tells how it ended', () => {
    const { explanation } = explain(
      circumstances({ state: 'failed', endedAt: past(1), errorCode: 'spawn_failed' }),
    );

    expect(explanation).toBe('It has ended: failed, spawn_failed.');
  });
});

describe('the answer', () => {
  it('names who holds the broker, under which epoch', () => {
    const { holder } = WhyDto.of(circumstances());

    expect(holder).toEqual({
      replica: '0198f1a2-7c44-7e11-9d5e-cccccccccccc',
      name: 'hub-0',
      state: 'active',
      epoch: 7,
    });
  });

  it('names nobody where nobody does', () => {
    expect(WhyDto.of(circumstances({ holderId: null, epoch: 7 })).holder).toBeNull();
  });

  it('gives each fact its age by the clock of the database; what is ahead is negative', () => {
    const { facts } = WhyDto.of(circumstances({ notBefore: ahead(30) }));

    const ages = Object.fromEntries(facts.map(({ name, ageS }) => [name, ageS]));
    expect(ages).toMatchObject({
      accepted: 10,
      deadline: -900,
      connection: 60,
      presence: 3,
      replica: 0.4,
      'not before': -30,
    });
  });

  it('leaves out what is not the case', () => {
    const names = WhyDto.of(circumstances()).facts.map(({ name }) => name);

    expect(names).not.toContain('cancel asked for');
    expect(names).not.toContain('blocking command');
  });
});
