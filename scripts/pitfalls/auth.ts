import { pitfall, type Chapter } from './pitfall.js';

const OUTAGE = 'test/integration/auth-outage.spec.ts';
const CREDENTIALS = 'test/integration/auth-credentials.spec.ts';
const ASSERTIONS = 'test/integration/auth-assertions.spec.ts';

export const AUTH: Chapter = {
  title: 'Credentials',
  pitfalls: [
    pitfall(
      32,
      'Who may call is chosen route by route, and a door is open where somebody forgot, or something is missing or away.',
      [
        'test/integration/auth-routes.spec.ts',
        'a route that declares nothing is denied to an administrator too, and never run: %s %s',
      ],
      [
        'test/integration/auth-routes.spec.ts',
        'a route that is made past the controllers is found by the audit of the boot, unless it says that it is open',
      ],
      [
        OUTAGE,
        'a hub that cannot reach its database answers a person with %s with 503, and never with 401 or a yes',
      ],
    ),
    pitfall(
      33,
      'An outage is answered with 401, on which clients give up for good.',
      [OUTAGE, 'a hub that cannot reach its database answers a broker that renews its access with 503'],
      [
        'test/e2e/refusals.spec.ts',
        'a broker at the door is told 503 and when to come again where the database cannot be asked, never 401',
      ],
    ),
    pitfall(
      34,
      'A credential of one kind is taken where another belongs.',
      [
        'test/gates/access.spec.ts',
        'every route asked with every kind of credential of a person lets in a personal token and a session alone, and answers 401 to whatever else',
      ],
      [CREDENTIALS, 'one kind of credential %s is refused at every route of a person'],
      [CREDENTIALS, 'one kind of credential %s is refused at the control channel'],
      [CREDENTIALS, 'one kind of credential %s is refused where a join token belongs'],
    ),
    pitfall(
      35,
      'A secret is changed in two steps, and between them the old one is lost or the new one unknown.',
      [
        'src/hub/auth/sealer.spec.ts',
        'the sealer opens with an older key of the ring, and seals with the newest',
      ],
      [ASSERTIONS, 'the key of a broker that was renewed is a bad credential, and the new one is good'],
      [
        'test/fault/secret-roll.spec.ts',
        'the secrets of a cluster, replaced in three rolls under load refuses nobody anything at any step, and does each command once',
      ],
    ),
    pitfall(
      36,
      'What was shown once is good again at another replica, or what is signed can be cut in another way.',
      [ASSERTIONS, 'an assertion tells the broker, and is refused when it is played again at any replica'],
      [ASSERTIONS, 'an assertion is redeemed once, of twenty that try at two replicas at the same moment'],
      ['src/hub/auth/sealer.spec.ts', 'the sealer does not open for %s'],
    ),
    pitfall(
      37,
      'Who calls is taken from what the request says, and not from its credential.',
      [
        CREDENTIALS,
        'one kind of credential that carries an own claim to be somebody is not believed: the credential tells who calls',
      ],
      [
        'test/integration/edge.spec.ts',
        'what a request says of where it comes from is believed from nobody where no proxy was named',
      ],
    ),
  ],
};
