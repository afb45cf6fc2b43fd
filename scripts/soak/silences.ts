/**
 * Why a client was left without an answer. It may be left so only where the way between it and the replica was cut, and
 * that is not for the client to say: its call is looked up in what the balancer saw of the connection, and in what was done
 * to the replica at its end.
 *
 * A server may close a connection on which nothing is asked at any time (RFC 9112, 9.5), so that a request may be under way
 * just then, and its client repeats it. The hub says for how long it keeps such connections (`Keep-Alive`): an end sooner
 * than that is the hub's fault, unless it was being ended.
 */
import type { Absence, Ailment, Answer, Link, Silence } from './record.js';

/** What explains a call without an answer. */
export type Cause =
  /** A fault cut or silenced its connection, or nothing passed on it. */
  | 'struck'
  /** The replica was ended, or stood still. */
  | Absence['why']
  /** Its connection had been idle for as long as the hub keeps one. */
  | 'idle'
  /** No replica was ready, or none took its connection, or the balancer had not come to it yet: nobody can have heard of it. */
  | 'unreached'
  /** It ended itself after its own time, and its connection held until then: a figure of the machine, as all times. */
  | 'late';

export type Ways = {
  links: readonly Link[];
  absences: readonly Absence[];
  ailments: readonly Ailment[];
};

export type Silenced = {
  causes: Partial<Record<Cause, number>>;
  /** What nothing explains, each as it is told. */
  unexplained: string[];
};

/** Between what two processes notice of one end, while the machine is full. */
export const NOTICED_WITHIN_MS = 5_000;
/** A server may close an idle connection a little before it has been so for the whole of its time. */
const IDLE_EARLY_MS = 2_000;

export function silenced(
  silences: readonly Silence[],
  answers: readonly Answer[],
  { links, absences }: Ways,
): Silenced {
  const byPort = byPortOf(links);
  const causes: Silenced['causes'] = {};
  const unexplained: string[] = [];
  for (const silence of silences) {
    const link = linkOf(silence, byPort);
    const cause = causeOf(silence, link, absences);
    if (cause === null) unexplained.push(told(silence, link));
    else causes[cause] = (causes[cause] ?? 0) + 1;
  }
  return { causes, unexplained: [...unexplained, ...claimed(silences, answers)] };
}

type ByPort = ReadonlyMap<number, Link[]>;

export function byPortOf(links: readonly Link[]): ByPort {
  const byPort = new Map<number, Link[]>();
  for (const link of links) {
    const ofPort = byPort.get(link.nearPort) ?? [];
    if (ofPort.length === 0) byPort.set(link.nearPort, ofPort);
    ofPort.push(link);
  }
  return byPort;
}

/** Who says that a connection was cut names one that was. */
function claimed(silences: readonly Silence[], answers: readonly Answer[]): string[] {
  const keys = new Set(silences.map(({ idempotencyKey }) => idempotencyKey));
  // A command of a batch has the key of its request, and its place.
  const isNamed = ({ idempotencyKey }: Answer) =>
    keys.has(idempotencyKey) || keys.has(idempotencyKey.split(' ', 1)[0] ?? '');
  return answers
    .filter((answer) => answer.cut === true && !isNamed(answer))
    .map(
      ({ idempotencyKey }) => `the client of ${idempotencyKey} says it was cut, and names no call that was`,
    );
}

function causeOf(silence: Silence, link: Link | undefined, absences: readonly Absence[]): Cause | null {
  if (silence.nearPort === null) return 'unreached';
  // Its client gave it up long before the balancer, on a full machine, came to its connection.
  if (link === undefined) return silence.wasLate ? 'unreached' : null;
  if (link.replicaPort === null) return 'unreached';
  if (link.brokenMs !== null && link.brokenMs <= silence.endedMs) return 'struck';
  if (link.holds.some((hold) => hold.fromMs <= silence.endedMs && hold.untilMs >= silence.begunMs))
    return 'struck';
  const absence = absences.find((each) => explains(each, link, silence));
  if (absence !== undefined) return absence.why;
  if (silence.wasLate) return 'late';
  return link.endedBy === 'far' && wasIdle(silence, stoodStillMs(link, silence, absences)) ? 'idle' : null;
}

/**
 * The connection from its port during the call: the latest that was there before its end, or else one that the balancer, behind
 * in its work, took up only then. Ports come round again.
 */
export function linkOf(
  { nearPort, begunMs, endedMs }: Pick<Silence, 'nearPort' | 'begunMs' | 'endedMs'>,
  byPort: ByPort,
): Link | undefined {
  const ofPort = nearPort === null ? [] : (byPort.get(nearPort) ?? []);
  const after = ofPort
    .filter((link) => (link.endedMs ?? Infinity) >= begunMs - NOTICED_WITHIN_MS)
    .sort((one, other) => one.openedMs - other.openedMs);
  const before = after.filter(({ openedMs }) => openedMs <= endedMs).at(-1);
  return before ?? after.find(({ openedMs }) => openedMs <= endedMs + NOTICED_WITHIN_MS);
}

/** What ended, or stood still, was the replica at its far end, then, and not one that had the port before or after it. */
function explains({ replicaPort, why, fromMs, untilMs }: Absence, link: Link, silence: Silence): boolean {
  if (replicaPort !== link.replicaPort || link.openedMs > untilMs + NOTICED_WITHIN_MS) return false;
  // One that stands still ends nothing: its clients do.
  if (why === 'paused')
    return silence.wasLate && silence.begunMs <= untilMs + NOTICED_WITHIN_MS && silence.endedMs >= fromMs;
  const isByIt = silence.wasLate || link.endedBy === 'far';
  // It answers what it has taken, for as long as it may: what it ends sooner had been sent just as its connection closed.
  if (
    why === 'drained' &&
    !silence.wasLate &&
    isTaken(silence, link) &&
    silence.endedMs < untilMs - NOTICED_WITHIN_MS
  )
    return false;
  return isByIt && silence.endedMs >= fromMs && (link.endedMs ?? Infinity) >= fromMs;
}

/** By its replica, to which a balancer that is behind in its work hands it on later than it was sent. */
function isTaken({ begunMs, endedMs }: Silence, { openedMs }: Link): boolean {
  return endedMs - Math.max(begunMs, openedMs) > NOTICED_WITHIN_MS;
}

/** A replica that wakes closes what has been idle for long enough by then, before it reads what came meanwhile. */
function stoodStillMs(link: Link, { begunMs, endedMs }: Silence, absences: readonly Absence[]): number {
  return absences
    .filter(({ why, replicaPort }) => why === 'paused' && replicaPort === link.replicaPort)
    .filter(({ fromMs, untilMs }) => begunMs <= untilMs + NOTICED_WITHIN_MS && endedMs >= fromMs)
    .reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0);
}

function wasIdle({ idleMs, keptMs }: Silence, stillMs: number): boolean {
  return idleMs !== null && keptMs !== null && idleMs + stillMs >= keptMs - IDLE_EARLY_MS;
}

function told({ error, nearPort, begunMs, endedMs }: Silence, link: Link | undefined): string {
  const at = new Date(endedMs).toISOString();
  const way =
    link === undefined
      ? 'of which the balancer knows nothing'
      : `which ${link.endedBy === 'far' ? 'the replica' : link.endedBy === 'near' ? 'the client' : 'nobody'} ended`;
  return `at ${at} a call was cut after ${endedMs - begunMs} ms (${error}), on the connection from ${nearPort}, ${way}, and nothing explains it`;
}
