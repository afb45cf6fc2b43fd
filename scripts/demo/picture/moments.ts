import type { Timeline } from '../timeline.js';

type Span = { from: number; to: number };

/** A time line in milliseconds, and in words. */
export type Moments = {
  title: string;
  description: string;
  shown: Span;
  replicas: string[];
  killed: number;
  killedName: string;
  /** The replica that accepted all of them; undefined where there were several. */
  askedOf: string | undefined;
  connections: ({ replica: string; epoch: number } & Span)[];
  runs: Span[];
};

/** @throws Error where nothing was killed, the broker did not come back, or nothing was given to it */
export function momentsOf({ replicas, ownership, runs, dispatches }: Timeline): Moments {
  const victim = replicas.find(({ killedAt }) => killedAt !== null);
  const first = ownership[0];
  if (victim?.killedAt == null || first === undefined) throw new Error('nothing was killed in this run');
  const killed = Date.parse(victim.killedAt);
  const back = ownership.find(({ since }) => Date.parse(since) > killed);
  const steps = dispatches.flatMap(({ trail }) => trail.map(({ at }) => Date.parse(at)));
  if (back === undefined || steps.length === 0) throw new Error('the broker did not come back in this run');

  const begun = Date.parse(first.since);
  const last = Math.max(...steps);
  const pad = (last - begun) * 0.05;
  const end = last + 2 * pad;
  const [askedOf, ...others] = new Set(dispatches.map(({ trail }) => trail[0]?.replica ?? undefined));
  return {
    title: 'A replica is killed, and the command it would have sent still runs once',
    description: described(dispatches, killed, victim.name),
    shown: { from: begun - pad, to: end },
    replicas: replicas.map(({ name }) => name),
    killed,
    killedName: victim.name,
    askedOf: others.length === 0 ? askedOf : undefined,
    connections: ownership.map(({ replica, epoch, since }, index) => ({
      replica,
      epoch,
      from: Date.parse(since),
      to: index < ownership.length - 1 ? killed : end,
    })),
    runs: runs.map(({ seenAt }, index) => ({
      from: Date.parse(seenAt),
      to: Date.parse(runs[index + 1]?.seenAt ?? new Date(last).toISOString()),
    })),
  };
}

/** What became of the command that was under way when the replica died. */
function described(dispatches: Timeline['dispatches'], killed: number, victim: string): string {
  const times = dispatches.map(({ op, trail }) => ({
    op,
    accepted: Date.parse(trail[0]?.at ?? ''),
    claimed: trail.filter(({ state }) => state === 'claimed').at(-1),
    ended: Date.parse(trail.at(-1)?.at ?? ''),
  }));
  const hit = times.find(({ ended }) => ended > killed);
  if (hit?.claimed === undefined) return '';
  const { op, accepted, claimed, ended } = hit;
  const waited = Date.parse(claimed.at) - accepted;
  return `One run of npm run demo: ${op} was accepted as ${victim} died, waited ${waited} ms for the broker, and succeeded after ${ended - accepted} ms.`;
}
