import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { MARK, PlantedRun } from '../support/planted-run.js';

const KINDS = [
  'access token of a broker',
  'access token of a person',
  'assertion',
  'client secret',
  'cluster secret',
  'code of the provider',
  'cookie',
  'csrf token',
  'device code',
  'environment of an agent',
  'invite',
  'join token',
  'key of a broker',
  'older seal secret',
  'older session secret',
  'password',
  'password of the database',
  'personal token',
  'previous cluster secret',
  'proof of a broker',
  'refresh token',
  'seal secret',
  'sealed state of a sign-in',
  'session secret',
  'setup link',
  'signing key',
  'state of a sign-in',
  'token of an agent',
  'user code',
  'wrong password',
];
/** Every place in which it could be read, and by what it shows that it is no empty one. */
const PLACES: [place: string, shows: string][] = [
  ['answers', MARK],
  ['audit', MARK],
  ['database', MARK],
  ['exported logs', 'it_fails'],
  ['log of a broker', 'linked to the hub'],
  ['log of a hub', 'it_fails'],
  ['log of the other hub', 'the hub is ready'],
  ['metrics', 'fairlead_dispatch'],
  ['refusals', 'credential_invalid'],
  ['traces', 'dispatch.settle'],
  ['trails', 'succeeded'],
  ['what the commands print', 'secret_malformed'],
];

/** One run with a secret of every kind, and all that was said and kept in it. */
describe('a secret', () => {
  let run: PlantedRun;
  let places: Record<string, string>;

  beforeAll(async () => {
    run = await PlantedRun.start();
    await run.signIn();
    await run.joinBrokers();
    await run.giveSecretsToAgents();
    await run.misplaceAll();
    await run.failDatabase();
    places = await run.places();
  });

  afterAll(async () => {
    await run.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  it('of every kind was planted', () => {
    expect(run.planted.kinds.sort()).toEqual(KINDS);
    expect(Object.keys(places).sort()).toEqual(PLACES.map(([place]) => place));
  });

  it.each(PLACES)('is not to be read here: %s', (place, shows) => {
    expect(places[place]).toContain(shows);
    expect(run.planted.readIn(places[place] ?? '')).toEqual([]);
  });

  it.each(PLACES.filter(([place]) => /log|traces|metrics|refusals/.test(place)))(
    'is no more to be read here than what the database keeps openly: %s',
    (place) => {
      expect(run.unlogged.kinds.sort()).toEqual(['argument', 'hash of a password', 'message']);
      expect(run.unlogged.readIn(places[place] ?? '')).toEqual([]);
    },
  );
});
