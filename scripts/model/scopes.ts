import type { Scope } from './world.js';

const ONE = ['k'];
const TWO = ['k', 'k'];

const scope = (name: string, keys: Scope['keys'], faults: Scope['faults'], more?: Partial<Scope>): Scope => ({
  name,
  replicas: 2,
  keys,
  isRepeatable: false,
  isRecoverable: false,
  contract: 'until',
  faults,
  ...more,
});

/** Explored by `npm run model`, in less than two minutes. */
export const SMALL: readonly Scope[] = [
  scope('two of a key, a move', TWO, { moves: 1 }),
  scope('two of a key, a cut', TWO, { cuts: 1 }),
  scope('two of a key, a replica dies', TWO, { replicaDeaths: 1 }),
  scope('two of a key, the broker dies', TWO, { brokerDeaths: 1 }),
  scope('two of a key, a failure', TWO, { failures: 1 }),
  scope('two of a key, a deadline', TWO, { deadlines: 1 }),
  scope('a lost journal, after a move', ONE, { moves: 1, brokerDeaths: 1, journalLosses: 1 }),
  scope('failures and a move', ONE, { failures: 2, moves: 1 }),
  scope('a cancel and a move', ONE, { cancels: 1, moves: 1 }),
  scope('a cancel, and the broker dies', ONE, { cancels: 1, brokerDeaths: 1 }),
  scope('a cancel and a failure', ONE, { cancels: 1, failures: 1 }),
  scope('a deadline and a move', ONE, { deadlines: 1, moves: 1 }),
  scope('a move, and a replica dies', ONE, { moves: 1, replicaDeaths: 1 }),
  scope('two of a key, let go of', TWO, { lettings: 1 }),
  scope('let go of, and a move', ONE, { lettings: 1, moves: 1 }),
  scope('a link held ready, and its owner dies', ONE, { standbys: 1, replicaDeaths: 1 }),
  scope('a link held ready, let go of', ONE, { standbys: 1, lettings: 1 }),
  scope('a link held ready, and a cut', ONE, { standbys: 1, cuts: 1 }),
  scope('two of a key, a link held ready, let go of', TWO, { standbys: 1, lettings: 1 }),
  scope(
    'repeatable, and the broker dies',
    ONE,
    { brokerDeaths: 1, journalLosses: 1, moves: 1 },
    { isRepeatable: true },
  ),
  scope(
    'repeatable, a cancel, and the broker dies',
    ONE,
    { cancels: 1, brokerDeaths: 1 },
    { isRepeatable: true },
  ),
  scope(
    'recoverable, two of a key, the broker dies',
    TWO,
    { brokerDeaths: 1 },
    { isRepeatable: true, isRecoverable: true },
  ),
  scope(
    'recoverable, a cancel, and the broker dies',
    ONE,
    { brokerDeaths: 1, cancels: 1 },
    { isRecoverable: true },
  ),
  scope('bound to its link, a move', ONE, { moves: 1 }, { contract: 'on_attach' }),
  scope('bound to its link, a failure and a cut', ONE, { failures: 1, cuts: 1 }, { contract: 'on_attach' }),
  scope('bound to its link, and the broker dies', ONE, { brokerDeaths: 1 }, { contract: 'on_attach' }),
  scope('two of a key, the later takes the place, a move', TWO, { moves: 1 }, { contract: 'latest_only' }),
  scope(
    'two of a key, the later takes the place, a failure',
    TWO,
    { failures: 1 },
    { contract: 'latest_only' },
  ),
];

/** Explored by `npm run model -- --large`, a task of its own. */
export const LARGE: readonly Scope[] = [
  ...SMALL,
  scope('two without a key, a move', [null, null], { moves: 1 }),
  scope('a move and a cut', ONE, { moves: 1, cuts: 1 }),
  scope('a cancel, a deadline, a move', ONE, { cancels: 1, deadlines: 1, moves: 1 }),
  scope('two of a key, a move, the broker dies', TWO, { moves: 1, brokerDeaths: 1 }),
  scope('two of a key, failures and a move', TWO, { failures: 1, moves: 1 }),
  scope('two of a key, a cancel and a move', TWO, { cancels: 1, moves: 1 }),
  scope('a link held ready, let go of, and the broker dies', ONE, {
    standbys: 1,
    lettings: 1,
    brokerDeaths: 1,
  }),
  scope('three of a key, a move', ['k', 'k', 'k'], { moves: 1 }),
];
