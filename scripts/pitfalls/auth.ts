import { pitfall, type Chapter } from './pitfall.js';

const OUTAGE = 'test/integration/auth-outage.spec.ts';
const CREDENTIALS = 'test/integration/auth-credentials.spec.ts';
const ASSERTIONS = 'test/integration/auth-assertions.spec.ts';
const RESULTS = 'test/e2e/results.spec.ts';
const CHANNEL = 'test/e2e/channel.spec.ts';
const SIGN_IN = 'test/e2e/sign-in.spec.ts';
const SIGNATURE = 'src/hub/cluster/peers/signature.spec.ts';
const EDGE = 'test/integration/edge.spec.ts';

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
      'A credential of one kind is taken where another belongs, and what came of something is told to others than whose it is.',
      [
        'test/gates/access.spec.ts',
        'every route asked with every kind of credential of a person lets in a personal token and a session alone, and answers 401 to whatever else',
      ],
      [CREDENTIALS, 'one kind of credential %s is refused at every route of a person'],
      [CREDENTIALS, 'one kind of credential %s is refused at the control channel'],
      [CREDENTIALS, 'one kind of credential %s is refused where a join token belongs'],
      [RESULTS, 'the result of a command is there for nobody of another project %s (pitfall 34)'],
      [RESULTS, 'the result of a command is for nobody of another project %s (pitfall 34)'],
      [
        RESULTS,
        'the result of a command is no answer to another person who asks by the same key for the same (pitfall 34)',
      ],
      [CHANNEL, 'the control channel takes no word of one broker on the commands of another (pitfall 34)'],
    ),
    pitfall(
      35,
      'A secret is changed in two steps, and between them the old one is lost or the new one unknown; what only stands for one is written over a real one; a time of grace is promised and not given.',
      [
        'src/hub/auth/sealer.spec.ts',
        'the sealer opens with an older key of the ring, and seals with the newest',
      ],
      [ASSERTIONS, 'the key of a broker that was renewed is a bad credential, and the new one is good'],
      [
        'test/integration/broker-key-rotation.spec.ts',
        'a new key of a broker waits beside the one before, and both are good',
      ],
      [
        'test/broker/key-rotation.spec.ts',
        'a broker whose key is rotated and which is killed with -9 %s comes back by itself, with one key',
      ],
      [
        'src/hub/registry/way-back.spec.ts',
        'the way back of a broker has no token, and nothing that could be taken for one',
      ],
      [
        'test/cli/programs.spec.ts',
        'fairlead broker ends with 2 without a join token, and never takes a personal one for it',
      ],
      [
        'src/broker/join.spec.ts',
        'a folder with the credential of a broker is not written over by a join with %j in the place of a token (pitfall 35)',
      ],
      [
        'src/broker/join.spec.ts',
        'a folder with the credential of a broker keeps its key where its membership is lost, and a join is refused (pitfall 35)',
      ],
      [
        'test/cli/login.spec.ts',
        'login keeps the token that it has where it is told %j in its place, which the hub refuses (pitfall 35)',
      ],
      [SIGN_IN, 'a refresh token gives another pair to who has lost the answer, as often as that is'],
      [SIGN_IN, 'a refresh token %s ends the session wherever it is, when it is shown again'],
      [
        'test/integration/auth-signing-keys.spec.ts',
        'a signing key that is rotated is taken along with its successor, at every replica, and signs no more where that was read',
      ],
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
      [
        'test/e2e/stolen.spec.ts',
        'what was read on the way of a broker opens a channel once, at whichever replica it is shown first, and never again',
      ],
      [
        'test/integration/peers.spec.ts',
        'replicas among themselves by a signed call take each once, by a mark in the database and not in one process (pitfall 36)',
      ],
      ['src/hub/auth/sealer.spec.ts', 'the sealer does not open for %s'],
      [
        SIGNATURE,
        'a signature between replicas reads no two lists of fields the same, wherever their text is cut (pitfall 36)',
      ],
      [
        SIGNATURE,
        'a signature between replicas reads no field as two, whatever stands between two (pitfall 36)',
      ],
      [SIGNATURE, 'a signature between replicas is another where %s join to the same text (pitfall 36)'],
      [SIGNATURE, 'the key of a link vouches for none that joins to the same text: %j and %j (pitfall 36)'],
      [
        SIGNATURE,
        'the key of a link is another where caller and target, or the nonces, join to the same text (pitfall 36)',
      ],
    ),
    pitfall(
      37,
      'Who calls, from where and where to is taken from what the request says, and not from its credential and its connection.',
      [
        CREDENTIALS,
        'one kind of credential that carries an own claim to be somebody is not believed: the credential tells who calls',
      ],
      [
        CREDENTIALS,
        'one kind of credential that names somebody else beside its credential gets nothing of theirs: %s %s (pitfall 37)',
      ],
      [
        CHANNEL,
        'the control channel takes a broker for who its credential says, whatever it says of itself (pitfall 37)',
      ],
      [EDGE, 'what a request says of where it comes from is believed from nobody where no proxy was named'],
      [
        EDGE,
        'what a request says of where it is asked is in no answer, also from a proxy that was named: %s %s (pitfall 37)',
      ],
      [EDGE, 'what a request says of where it is asked makes no page one of the hub: %s (pitfall 37)'],
      [
        EDGE,
        'what a request says of where it is asked takes nothing from a page of the hub, which is known by its origin alone (pitfall 37)',
      ],
    ),
  ],
};
