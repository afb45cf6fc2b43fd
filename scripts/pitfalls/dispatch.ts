import { pitfall, type Chapter } from './pitfall.js';

const CLAIM = 'test/integration/fences-claim.spec.ts';
const WORDS = 'test/integration/fences-words.spec.ts';
const INVENTORY = 'test/integration/fences-inventory.spec.ts';
const INSERT = 'test/integration/fences-insert.spec.ts';
const OWNER_DEATH = 'test/e2e/owner-death.spec.ts';
const RETRY = 'test/e2e/retry.spec.ts';
const LOST = 'test/fault/lost-answers.spec.ts';
const DEADLINES = 'test/e2e/deadlines.spec.ts';

export const DISPATCH: Chapter = {
  title: 'Commands',
  pitfalls: [
    pitfall(
      1,
      'Failures are compared with a cap, and nothing counts them: work is sent again for ever.',
      [
        RETRY,
        'a command that failed in a way that may pass is not sent before its rest is over, and is dead after five failures: the counter that is read is also incremented',
      ],
      [WORDS, 'a failure that may pass ends the row when it has failed as often as it may, and not sooner'],
    ),
    pitfall(
      2,
      'The owner of claimed work dies, and nobody takes the work back.',
      [
        OWNER_DEATH,
        'a command whose owner is killed after the claim, and never begun, is sent again under a new attempt',
      ],
      [
        OWNER_DEATH,
        'a command whose owner is killed is told as a replica that is gone, and lets go of its brokers, within 6 s',
      ],
    ),
    pitfall(
      3,
      'Work is put back with the marks of its claim, or its attempt is taken back so that an old word fits again.',
      [
        WORDS,
        'a failure that may pass puts the row back without a trace of its claim, counts it, and lets it rest',
      ],
      [
        INVENTORY,
        'an inventory without a row that the same journal was sent puts it back, free of its claim and of blame',
      ],
    ),
    pitfall(
      4,
      'An ending is written whatever the row says by then, and a late result overwrites a newer truth.',
      [WORDS, 'a result, settled %s, that comes again, or late, is settled once and overwrites nothing'],
      [WORDS, 'a result, settled %s, does not settle a row that was put back'],
      [
        WORDS,
        'a result, settled %s, to %s does not settle a row whose next attempt began while it waited for it',
      ],
    ),
    pitfall(
      5,
      'One claim gives the same work twice, since a transaction does not skip what it has locked itself.',
      [
        CLAIM,
        'asked for %s, a claim gives a row once, however often it was asked for, and a second claim does not give it again',
      ],
    ),
    pitfall(
      6,
      'Somebody is answered before the commit, or although it failed.',
      [LOST, 'a commit that fails is never answered as an acceptance, and leaves nothing behind'],
      [LOST, 'a commit that fails of a result is not confirmed to the broker, until it is on record'],
    ),
    pitfall(7, 'Work that is sent again meets its own idempotency key, and counts as done.', [
      INSERT,
      'an idempotency key is no obstacle to sending its own command again, which is never taken for a repeat',
    ]),
    pitfall(
      8,
      'A repeat is answered with an id that was never stored, or with the work of another caller who chose the same key.',
      [
        INSERT,
        'an idempotency key is good for one command: the second is not stored, and the first is found by it',
      ],
      [INSERT, 'an idempotency key of one caller is not that of another'],
      [
        'test/e2e/api.spec.ts',
        'the public API with an Idempotency-Key creates one dispatch of two that come at the same moment',
      ],
    ),
    pitfall(
      9,
      'A word that names the state a thing is in already is thrown away with what it carries.',
      [
        'test/integration/agent-reports.spec.ts',
        'what a broker reports of an agent shows each restart of its run, while it stays running',
      ],
      ['src/hub/dispatch/state.spec.ts', 'the states of a dispatch let a result overtake its ack'],
    ),
    pitfall(
      10,
      'What may have been delivered is treated as though it was not, and done twice.',
      [INVENTORY, 'an inventory says of what %s that its outcome is unknown'],
      [
        OWNER_DEATH,
        'a command whose owner is killed and whose broker lost its journal ends as unknown, unless it may be repeated',
      ],
    ),
    pitfall(
      11,
      'The mark against repeats is set before the work is safe, or in memory alone: a crash loses the work, or does it twice.',
      [
        'test/broker/broker-process.spec.ts',
        'the broker as a user runs it killed with -9 at the moment of its ack has the command on record, and does it once',
      ],
      [INSERT, 'an idempotency key is not used up by a command that was refused'],
    ),
    pitfall(
      12,
      'A deadline lies further back than the sweep looks, or passes without an ending and without a word to the caller.',
      [
        DEADLINES,
        'a command at its deadline that passed days ago, while nobody swept, ends as expired all the same',
      ],
      [
        DEADLINES,
        'a command at its deadline that was not sent ends as expired without effect, is never sent, and its caller is told at once',
      ],
    ),
    pitfall(13, 'A lock is taken on one connection, and what it guards is changed on another.', [
      'test/integration/pool.spec.ts',
      'a connection of the pool has a transaction to itself: what is locked in it is changed on the same one, and by nobody else',
    ]),
    pitfall(
      14,
      'Work goes out although its record could not be written.',
      [LOST, 'a commit that fails of a claim sends nothing: what is on the wire is on record'],
      [
        'test/broker/broker-process.spec.ts',
        'the broker as a user runs it says that it is degraded while its journal cannot be written, acks nothing of that, and stays',
      ],
    ),
    pitfall(
      15,
      'The states are listed by hand in several places, and code, checks and indexes come to disagree.',
      [
        'src/hub/dispatch/state.spec.ts',
        'the states of a dispatch are told to SQL as the transition function knows them',
      ],
      [
        'test/gates/schema.spec.ts',
        'the gate on the schema, of each list of words fires where %s lacks the list %s for %s',
      ],
    ),
    pitfall(16, 'Work is done inside the listener for wakes, and one slow broker stops all others.', [
      'test/e2e/order.spec.ts',
      'the order of commands of one broker is no other broker’s business: a stuck one delays nobody',
    ]),
    pitfall(17, 'A command for a broker of the same replica takes a short way, and leaves no record.', [
      'test/e2e/dispatch.spec.ts',
      'a command in a cluster of two replicas is answered with its result, and leaves its whole record, when it came in at ${where}',
    ]),
    pitfall(
      18,
      'A caller is told that time is up while the work goes on unseen, to be done later.',
      [
        'test/e2e/api.spec.ts',
        'the public API answers 202 with the envelope and a Location when the wait is over first',
      ],
      [
        DEADLINES,
        'a command at its deadline that was sent and of which no word came for 30 s, is expired with an unknown effect, its caller and all',
      ],
    ),
    pitfall(
      19,
      'A result that comes over an older connection is matched by its id alone.',
      [WORDS, 'a result, settled %s, of attempt %d does not settle attempt 2'],
      [
        RETRY,
        'a command that failed in a way that may pass is changed by no result of the earlier attempt that is told again',
      ],
    ),
  ],
};
