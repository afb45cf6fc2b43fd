import type { PresenceState } from '../../../src/hub/registry/presence-state.js';

/**
 * One broker as a reader of the design would keep it on paper: who owns its connection, and what is known of it. Times are
 * seconds of the test's own clock.
 */
export type Broker = {
  owner: string | null;
  epoch: number;
  since: number;
  released: number | null;
  silent: number | null;
  presence: { state: PresenceState; epoch: number } | null;
};

/** One thing that happens to a broker; of a link it names the epoch, which may be long past. */
export type Act =
  | { kind: 'connect'; at: string }
  | { kind: 'word'; epoch: number; state: PresenceState }
  | { kind: 'note'; epoch: number; state: PresenceState }
  | { kind: 'release'; epoch: number; at: string; silenceS: number }
  | { kind: 'sweep' }
  | { kind: 'bury' };

const SEVERITY: Record<PresenceState, number> = { online: 0, degraded: 1, unreachable: 2, offline: 3 };

/** @param isDead whether a replica has died: it takes nobody any more, and what it held is let go of */
export function after(broker: Broker, act: Act, now: number, isDead: (replica: string) => boolean): Broker {
  switch (act.kind) {
    case 'connect':
      if (isDead(act.at)) return broker;
      return { ...broker, owner: act.at, epoch: broker.epoch + 1, since: now, released: null };
    case 'word': {
      const isHeard = act.epoch === broker.epoch && (broker.owner !== null || act.state === 'offline');
      return isHeard ? { ...broker, presence: { state: act.state, epoch: act.epoch } } : broker;
    }
    case 'note':
      return broker;
    case 'release': {
      const isHeld = broker.owner === act.at && broker.epoch === act.epoch;
      return isHeld ? { ...broker, owner: null, released: now, silent: now - act.silenceS } : broker;
    }
    case 'bury':
      return broker.owner !== null && isDead(broker.owner)
        ? { ...broker, owner: null, released: now }
        : broker;
    case 'sweep': {
      const state = judged(broker, now);
      if (broker.presence === null || SEVERITY[state] <= SEVERITY[broker.presence.state]) return broker;
      return { ...broker, presence: { ...broker.presence, state } };
    }
  }
}

function judged({ owner, since, released, silent }: Broker, now: number): PresenceState {
  if (owner !== null || released === null) return 'online';
  const silence = now - (silent !== null && silent >= since ? silent : released);
  if (silence < 30) return 'online';
  return silence < 60 ? 'degraded' : 'unreachable';
}

/**
 * Every way in which things that happen at once may come one after another. A sweep, and the release of what the dead
 * held, leave alone what somebody is at, so either may also not happen at all: it comes again.
 */
export function* orders(acts: readonly Act[]): Generator<Act[]> {
  const without = (...kinds: Act['kind'][]): Act[] => acts.filter(({ kind }) => !kinds.includes(kind));
  yield* permutations(acts);
  for (const left of [without('sweep'), without('bury'), without('sweep', 'bury')])
    if (left.length < acts.length) yield* permutations(left);
}

function* permutations(acts: readonly Act[]): Generator<Act[]> {
  if (acts.length <= 1) yield [...acts];
  else
    for (const [index, act] of acts.entries())
      for (const rest of permutations([...acts.slice(0, index), ...acts.slice(index + 1)]))
        yield [act, ...rest];
}

/** Numbers from 0 to 1 that one seed always gives in one order (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
