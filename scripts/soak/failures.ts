import { hardlyMet } from './endings.js';
import type { Growth } from './growth.js';
import type { Judgement } from './judge.js';

/** What decides whether a run is clean. */
export type Found = Pick<
  Judgement,
  | 'lost'
  | 'duplicated'
  | 'reordered'
  | 'untrue'
  | 'irregular'
  | 'unfounded'
  | 'unserved'
  | 'untold'
  | 'unexplained'
  | 'accepted'
  | 'mixed'
> & {
  givenUp: number;
  crashes: readonly string[];
  failedFaults: readonly string[];
  /** What any replica grew by at the least, and whether replicas were left alive for that to be told. */
  sure: Growth['sure'];
  spares: boolean;
  /** Deaths and silent links that nobody noticed, and sessions that stayed deaf. */
  never: number;
  /** Of what is promised within a time: how often each came, and could be judged. */
  promised: readonly { judged: number; unjudged: number }[];
  /** Of each kind of fault: how many were done, and how many of these struck something. */
  tried: Readonly<Record<string, number>>;
  faultsByKind: Readonly<Record<string, number>>;
  /** For how long commands were given, and in it the transaction was open that is kept so, in all and at a time. */
  forMs: number;
  pinnedMs: number;
  pinnedLongestMs: number;
  /** Whether nothing was to end that transaction. */
  holds: boolean;
  /** Commands that were given, and that were to be by the rate and the time. */
  commands: number;
  due: number;
  /** Faults that struck something, and that were due. */
  faults: number;
  scheduled: number;
};

export type Failure =
  | 'lost'
  | 'duplicated'
  | 'reordered'
  | 'untrue'
  | 'irregular'
  | 'unfounded'
  | 'unserved'
  | 'untold'
  | 'unexplained'
  | 'given_up'
  | 'crashed'
  | 'fault_failed'
  | 'unnoticed'
  /** A replica grew, in memory or open files, by more than chance explains. */
  | 'growing'
  /** The transaction that is to be open all the time was not for most of it. */
  | 'unpinned'
  /** It has nothing to show for itself: much less was asked than was to be, or struck. */
  | 'hardly_asked'
  | 'hardly_struck'
  /** Faults of a kind that were to strike some times, and none struck anything. */
  | 'never_struck'
  /** Deaths, or sessions that were deaf, and none of some could be judged; or growth, of replicas that were left alive for it. */
  | 'unjudged'
  /** None of a kind of `--mix` came to what it is given for. */
  | 'hardly_mixed';

/** What a machine that is too slow comes to with any faults, and with none. */
const OF_SLOWNESS: readonly Failure[] = [
  'untold',
  'given_up',
  'hardly_asked',
  'hardly_struck',
  'never_struck',
  'unjudged',
];

/** What fewer faults must come to as well to be enough: whatever was broken, or, where nothing was, that it was too slow. */
export function soughtOf(failures: readonly Failure[]): readonly Failure[] {
  const broken = failures.filter((failure) => !OF_SLOWNESS.includes(failure));
  return broken.length > 0 ? broken : failures;
}

/** MiB, or open files, a minute: less than that for certain is room for garbage, of which there is none in what is kept, or what one of several comes to by chance. */
const GROWTH_MOST: Readonly<Record<keyof Growth['sure'], number>> = {
  replicaKeptMiBPerMin: 0.25,
  replicaMemoryMiBPerMin: 1,
  replicaSocketsPerMin: 1,
};
/** Chance spreads what is due, and clients begin a little later than faults. */
const ASKED_PART = 0.75;
/** A slow machine is late, and what is due after the end is left out; some find nothing to strike. */
const STRUCK_PART = 0.5;
/** A database that ends takes it away for seconds: half an hour with `--calm 5` was without it for a twelfth of the time. */
const PINNED_PART = 0.5;
/** It begins once replicas and brokers have started, and is looked at each second. */
const HELD_PART = 0.95;
/** A replica must be seen for ten minutes of half of it, between the first and the last of weights that are half a minute apart. */
const GROWTH_TOLD_FROM_MS = 23 * 60_000;
/** Of so many chance alone leaves none to strike hardly ever. */
const ENOUGH = 5;
/** And of so many none to be judged, on a machine that is slow besides. */
const MANY = 10;

/** @returns why a run is not clean, nothing where it is */
export function failuresOf(found: Found): Failure[] {
  const is: Readonly<Record<Failure, boolean>> = {
    lost: found.lost > 0,
    duplicated: found.duplicated > 0,
    reordered: found.reordered > 0,
    untrue: found.untrue > 0,
    irregular: found.irregular > 0,
    unfounded: found.unfounded > 0,
    unserved: found.unserved > 0,
    untold: found.untold > 0,
    unexplained: found.unexplained > 0,
    given_up: found.givenUp > 0,
    crashed: found.crashes.length > 0,
    fault_failed: found.failedFaults.length > 0,
    unnoticed: found.never > 0,
    growing: (Object.keys(GROWTH_MOST) as (keyof Growth['sure'])[]).some(
      (figure) => (found.sure[figure] ?? -Infinity) > GROWTH_MOST[figure],
    ),
    unpinned: found.holds
      ? found.pinnedLongestMs < found.forMs * HELD_PART
      : found.pinnedMs < found.forMs * PINNED_PART,
    hardly_asked: found.accepted === 0 || found.commands < found.due * ASKED_PART,
    hardly_struck: found.faults < found.scheduled * STRUCK_PART,
    never_struck: Object.entries(found.tried).some(
      ([kind, count]) => count >= ENOUGH && !(kind in found.faultsByKind),
    ),
    unjudged:
      isGrowthUntold(found) ||
      found.promised.some(({ judged, unjudged }) => unjudged >= MANY && judged === 0),
    hardly_mixed: hardlyMet(found.mixed).length > 0,
  };
  return (Object.keys(is) as Failure[]).filter((failure) => is[failure]);
}

/** Of replicas that were left alive for it, nothing is known of some figure. */
function isGrowthUntold({ spares, forMs, sure }: Found): boolean {
  return spares && forMs > GROWTH_TOLD_FROM_MS && Object.values(sure).some((least) => least === null);
}
