import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import type { AccessTokens } from '../auth/access-tokens.js';
import type { RateLimiter } from '../auth/limits/rate-limiter.js';
import type { SpentProofs, Spending } from '../auth/spent-proofs.js';
import type { Clock } from '../cluster/clock.js';
import type { Replica } from '../cluster/replica.js';
import { Admission } from './admission.js';
import { Greetings } from './greetings.js';
import type { Headroom } from './headroom.js';
import { Pace } from './pace.js';
import type { AdmissionBudgetSpent } from './registry.errors.js';
import type { Visitor } from './refusals.js';
import type { Standing, Standings } from './standings.js';

const TOKEN = 'DPoP t.o.k';
const SUBPROTOCOL = 'fairlead.v1';

/** A door behind which credentials are good, or as told. */
function door({
  verify,
  mayAct = true,
  standing = () => Promise.resolve('welcome'),
  admissionsPerS = 1_000,
  wasSeen = false,
  spend = () => Promise.resolve('spent'),
}: {
  verify?: (token: string) => Promise<unknown>;
  mayAct?: boolean;
  standing?: (brokerId: string) => Promise<Standing>;
  admissionsPerS?: number;
  wasSeen?: boolean;
  spend?: () => Promise<Spending>;
} = {}) {
  const asked: string[] = [];
  const calls: object[] = [];
  const accessTokens = {
    prove: async ({ token, ...call }: { token: string }, dpop?: string) => {
      asked.push(token);
      calls.push({ ...call, dpop });
      return (await verify?.(token)) ?? { brokerId: 'b', expiresAt: new Date(), proof: { jti: 'j' } };
    },
  };
  const replica = {
    assertMayAct: () => {
      if (!mayAct) throw new Error('may not act');
    },
  };
  const spentProofs = { wasSeen: () => wasSeen, spend };
  const clock = { now: () => new Date() };
  const counted: [name: string, brokerId: string][] = [];
  const limiter = {
    take: (name: string, brokerId: string) => {
      counted.push([name, brokerId]);
      return Promise.resolve();
    },
  };
  const greetings = new Greetings();
  const admission = new Admission(
    accessTokens as unknown as AccessTokens,
    replica as unknown as Replica,
    { of: standing } as unknown as Standings,
    spentProofs as unknown as SpentProofs,
    clock as Clock,
    limiter as unknown as RateLimiter,
    greetings,
    { pace: new Pace(admissionsPerS) } as unknown as Headroom,
  );
  return { admission, asked, calls, counted, greetings };
}

const request = (authorization?: string, protocols: string | undefined = SUBPROTOCOL, more: object = {}) =>
  ({
    headers: {
      ...more,
      ...(authorization === undefined ? {} : { authorization }),
      ...(protocols === '' ? {} : { 'sec-websocket-protocol': protocols }),
    },
  }) as unknown as IncomingMessage;

const visitor = (): Visitor => ({ requestId: 'r', address: '192.0.2.7' });

/** Whether a promise has come to its end by now. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  void promise.then(() => (over = true));
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  return over;
}

describe('the door for brokers', () => {
  it.each([SUBPROTOCOL, `other, ${SUBPROTOCOL}`, `${SUBPROTOCOL},other`])(
    'lets in who offers %s',
    async (offer) => {
      const { admission, asked } = door();

      expect(await admission.admit(request(TOKEN, offer), visitor())).toMatchObject({ brokerId: 'b' });
      expect(asked).toEqual(['t.o.k']);
    },
  );

  it.each(['', 'fairlead.v2', 'x-fairlead.v1'])('turns away who offers "%s"', async (offer) => {
    const { admission, asked } = door();

    const refused = expect(admission.admit(request(TOKEN, offer), visitor())).rejects;

    await refused.toMatchObject({ code: 'protocol_unsupported' });
    await expect(admission.admit(request(TOKEN, offer), visitor())).rejects.toThrow(
      'Offer the subprotocol fairlead.v1.',
    );
    expect(asked).toEqual([]);
  });

  it.each([
    undefined,
    '',
    'Basic abc',
    'DPoP',
    'DPoP a b',
    'Bearer abc',
    'xDPoP abc',
    `DPoP ${'a'.repeat(4_097)}`,
  ])('turns away who shows %s', async (authorization) => {
    const { admission } = door();

    await expect(admission.admit(request(authorization), visitor())).rejects.toMatchObject({
      code: 'credential_missing',
    });
    expect(await isOver(admission.close())).toBe(true);
  });

  it('takes a token of 4,096 characters, whatever the case of its scheme', async () => {
    const { admission } = door();

    await expect(admission.admit(request(`dpop ${'a'.repeat(4_096)}`), visitor())).resolves.toMatchObject({
      brokerId: 'b',
    });
  });

  it('lets nobody in where the replica may not act', async () => {
    const { admission } = door({ mayAct: false });

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toThrow('may not act');
  });

  it.each<[Standing, string]>([
    ['revoked', 'broker_revoked'],
    ['unknown', 'credential_invalid'],
  ])('turns away a broker that is %s: %s', async (standing, code) => {
    const { admission } = door({ standing: () => Promise.resolve(standing) });

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toMatchObject({ code });
    expect(await isOver(admission.close())).toBe(true);
  });

  it.each<[Spending, string]>([
    ['refused', 'credential_invalid'],
    ['ended', 'clock_skew'],
  ])('turns away who shows a proof that is %s: %s', async (spending, code) => {
    const { admission } = door({ spend: () => Promise.resolve(spending) });

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toMatchObject({ code });
    expect(await isOver(admission.close())).toBe(true);
  });

  it('tells a broker that is revoked so, whatever its proof is', async () => {
    const spend = () => Promise.resolve<Spending>('refused');
    const { admission } = door({ standing: () => Promise.resolve('revoked'), spend });

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toMatchObject({
      code: 'broker_revoked',
    });
  });

  it('says neither yes nor no where nobody can tell whether a proof was used', async () => {
    const { admission } = door({ spend: () => Promise.reject(new Error('the database is away')) });

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toThrow('the database is away');
  });

  it('lets a proof that was seen before spend nothing of the budget', async () => {
    const { admission } = door({ wasSeen: true, admissionsPerS: 1 });

    for (let time = 0; time < 3; time += 1)
      await expect(admission.admit(request(TOKEN), visitor())).rejects.toMatchObject({
        code: 'credential_invalid',
      });
  });

  it('says neither yes nor no where nobody can tell whether a broker is wanted', async () => {
    const { admission } = door({ standing: () => Promise.reject(new Error('the database is away')) });

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toThrow('the database is away');
    expect(await isOver(admission.close())).toBe(true);
  });

  it('lets in as many as its budget has, and tells the next when to come again before it asks about it', async () => {
    const asked: string[] = [];
    const { admission } = door({
      admissionsPerS: 2,
      standing: (brokerId) => {
        asked.push(brokerId);
        return Promise.resolve('welcome');
      },
    });
    await admission.admit(request(TOKEN), visitor());
    await admission.admit(request(TOKEN), visitor());

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toMatchObject({
      code: 'admission_budget_spent',
      status: 429,
      extra: { retryAfterS: expect.any(Number) },
    });
    expect(asked).toHaveLength(2);
  });

  it('lets nobody in while as many hellos wait for their answer, and again once one is answered', async () => {
    const { admission, greetings } = door({ admissionsPerS: 2 });
    const answers: (() => void)[] = [];
    const during = [1, 2].map(() => greetings.during(new Promise((resolve) => answers.push(resolve))));

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toMatchObject({
      code: 'admission_budget_spent',
      extra: { retryAfterS: expect.any(Number) },
    });
    answers[0]?.();
    await during[0];

    await expect(admission.admit(request(TOKEN), visitor())).resolves.toMatchObject({ brokerId: 'b' });
    answers[1]?.();
    await during[1];
    expect(greetings.unanswered).toBe(0);
  });

  it('looks at 200 credentials together, and turns the next away unseen', async () => {
    let look: () => void = () => undefined;
    const looked = new Promise<void>((resolve) => (look = resolve));
    const { admission, asked } = door({ verify: () => looked.then(() => undefined) });
    const inside = Array.from({ length: 200 }, () => admission.admit(request(TOKEN), visitor()));

    const rests = new Set<number>();
    for (let time = 0; time < 20; time += 1) {
      const refused = await admission.admit(request(TOKEN), visitor()).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'admission_budget_spent' });
      rests.add((refused as AdmissionBudgetSpent).extra.retryAfterS ?? 0);
    }
    expect([...rests].every((seconds) => Number.isInteger(seconds) && seconds >= 1 && seconds <= 10)).toBe(
      true,
    );
    expect(rests.size).toBeGreaterThan(1);
    expect(asked).toHaveLength(200);
    look();
    for (const { settled } of await Promise.all(inside)) settled();

    await expect(admission.admit(request(TOKEN), visitor())).resolves.toMatchObject({ brokerId: 'b' });
  });

  it('lets bad credentials spend nothing of the budget', async () => {
    let isBad = true;
    const { admission } = door({
      admissionsPerS: 1,
      verify: () => (isBad ? Promise.reject(new Error('bad')) : Promise.resolve(undefined)),
    });
    for (let time = 0; time < 5; time += 1)
      await expect(admission.admit(request(TOKEN), visitor())).rejects.toThrow('bad');

    isBad = false;

    await expect(admission.admit(request(TOKEN), visitor())).resolves.toMatchObject({ brokerId: 'b' });
  });

  it('says which broker it has turned away once that is proven, and not before', async () => {
    const revoked = door({ standing: () => Promise.resolve('revoked') });
    const bad = door({ verify: () => Promise.reject(new Error('bad')) });
    const [known, unknown] = [visitor(), visitor()];

    await expect(revoked.admission.admit(request(TOKEN), known)).rejects.toThrow();
    await expect(bad.admission.admit(request(TOKEN), unknown)).rejects.toThrow();

    expect([known.brokerId, unknown.brokerId]).toEqual(['b', undefined]);
  });

  it('has a proof checked for this very call, and counts an upgrade', async () => {
    const { admission, calls, counted } = door();

    await admission.admit(request(TOKEN, SUBPROTOCOL, { dpop: ['a', 'b'] }), visitor());

    expect(calls).toEqual([{ method: 'GET', path: '/api/v1/control', connectionId: null, dpop: 'a,b' }]);
    expect(counted).toEqual([['upgrade', 'b']]);
  });

  it('lets in whoever polls by a proof for that, until it is closed', async () => {
    const { admission, calls } = door();

    const admitted = await admission.admitPoll({ authorization: TOKEN }, visitor());
    admitted.settled();
    await admission.close();
    const late = admission.admitPoll({ authorization: TOKEN }, visitor());

    expect(admitted.brokerId).toBe('b');
    await expect(late).rejects.toMatchObject({ code: 'draining' });
    expect(calls).toEqual([
      { method: 'POST', path: '/api/v1/control/poll', connectionId: null, dpop: undefined },
    ]);
  });

  it('tells whose poll of an open channel it is, also once it is closed', async () => {
    const { admission, calls, counted } = door();
    const shown = visitor();
    await admission.close();

    const polling = await admission.brokerOf({ authorization: TOKEN, dpop: 'p' }, 'c', shown);

    expect(polling).toEqual({ brokerId: 'b', proof: { jti: 'j' } });
    expect(calls).toEqual([{ method: 'POST', path: '/api/v1/control/poll', connectionId: 'c', dpop: 'p' }]);
    expect([shown.brokerId, counted]).toEqual(['b', [['poll', 'b']]]);
  });

  it('tells those who want to know that it is closed', async () => {
    const { admission } = door();
    let told = 0;
    admission.onClosed(() => (told += 1));

    await admission.close();

    expect(told).toBe(1);
  });

  it('once closed lets nobody in', async () => {
    const { admission } = door();
    expect(admission.isClosed).toBe(false);

    await admission.close();

    expect(admission.isClosed).toBe(true);
    await expect(admission.admit(request(TOKEN), visitor())).rejects.toMatchObject({ code: 'draining' });
  });

  it('lets nobody in who was still being looked at when it closed, and has settled only then', async () => {
    let looked: (() => void) | undefined;
    const { admission } = door({ verify: () => new Promise<void>((resolve) => (looked = resolve)) });
    const admitted = admission.admit(request(TOKEN), visitor());
    const closed = admission.close();
    expect(await isOver(closed)).toBe(false);

    looked?.();

    await expect(admitted).rejects.toMatchObject({ code: 'draining' });
    expect(await isOver(closed)).toBe(true);
  });

  it('has settled when everybody inside has, each counted once', async () => {
    const { admission } = door();
    const [one, other] = [
      await admission.admit(request(TOKEN), visitor()),
      await admission.admit(request(TOKEN), visitor()),
    ];
    const closed = admission.close();

    one.settled();
    one.settled();
    expect(await isOver(closed)).toBe(false);
    other.settled();
    expect(await isOver(closed)).toBe(true);
  });

  it('counts nobody whose credential was bad', async () => {
    const { admission } = door({ verify: () => Promise.reject(new Error('bad')) });

    await expect(admission.admit(request(TOKEN), visitor())).rejects.toThrow('bad');

    expect(await isOver(admission.close())).toBe(true);
  });

  it('tells whose call it is that opens no channel, also once it is closed', async () => {
    const { admission, asked, counted } = door();
    await admission.close();

    const caller = admission.callerOf('POST', '/elsewhere', { authorization: TOKEN }, 'agent_token');

    await expect(caller).resolves.toBe('b');
    expect(asked).toEqual(['t.o.k']);
    expect(counted).toEqual([['agent_token', 'b']]);
  });

  it.each<[string, Parameters<typeof door>[0], string | undefined, object]>([
    ['shows nothing', {}, undefined, { code: 'credential_missing' }],
    ['shows a bearer', {}, 'Bearer t.o.k', { code: 'credential_missing' }],
    ['shows a proof that was seen', { wasSeen: true }, TOKEN, { code: 'credential_invalid' }],
    [
      'shows a proof that was used',
      { spend: () => Promise.resolve('refused') },
      TOKEN,
      { code: 'credential_invalid' },
    ],
    [
      'shows a proof that has ended',
      { spend: () => Promise.resolve('ended') },
      TOKEN,
      { code: 'clock_skew' },
    ],
    ['is revoked', { standing: () => Promise.resolve('revoked') }, TOKEN, { code: 'broker_revoked' }],
    ['is unknown', { standing: () => Promise.resolve('unknown') }, TOKEN, { code: 'credential_invalid' }],
    ['asks a replica that may not act', { mayAct: false }, TOKEN, { message: 'may not act' }],
  ])('takes no such call of who %s', async (_what, given, authorization, error) => {
    const { admission } = door(given);

    const caller = admission.callerOf('POST', '/elsewhere', { authorization }, 'agent_token');

    await expect(caller).rejects.toMatchObject(error);
  });
});
