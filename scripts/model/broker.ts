/** The broker's part: its journal, its links, and what it does. */
import type { Has } from './hub.js';
import { nameOf } from './rows.js';
import {
  put,
  type Entry,
  type Frame,
  type Link,
  type Outcome,
  type Scope,
  type Status,
  type World,
} from './world.js';

const LINKS_MOST = 2;

/** Dials a replica, beside a link that it has or because it has none. It tells first what its journal knows. */
export function connect(world: World, scope: Scope, has: Has, replica: number): string | undefined {
  if (has('recover before the first link') && hasToRecover(world, scope)) return undefined;
  const isForced = world.links.length === 0;
  if (!isForced && world.left.moves === 0) return undefined;
  if (world.links.length === LINKS_MOST) return undefined;
  if (!isForced) world.left.moves -= 1;
  world.owner = { replica, epoch: world.owner.epoch + 1 };
  const link = linkTo(world, replica, world.owner.epoch);
  world.links.push(link);
  welcomed(world, link, link.epoch);
  return `the broker links to replica ${replica}, epoch ${link.epoch}`;
}

/** Holds a link ready beside the one that it has, at another replica, for when that is gone. */
export function holdReady(world: World, replica: number): string | undefined {
  const { links } = world;
  if (world.left.standbys === 0 || links.length !== 1 || links[0]?.replica === replica) return undefined;
  world.left.standbys -= 1;
  // Work goes out on the other one: the newest link stays last.
  links.unshift(linkTo(world, replica, 0));
  return `the broker holds a link to replica ${replica} ready`;
}

const linkTo = ({ journal }: World, replica: number, epoch: number): Link => ({
  ...{ replica, epoch, journal, welcomed: epoch, isReady: false, isLetGo: false },
  ...{ down: [], up: [] },
});

/** Where the link that it works on is gone it wants the one that it held ready. */
export function promote({ links }: World, place: number): string | undefined {
  const link = links[place];
  if (link === undefined || link.epoch > 0 || links.length > 1) return undefined;
  return put(link.up, { t: 'promote' }) ? `the broker wants its link to replica ${link.replica}` : undefined;
}

/** What its journal knows is told under each epoch first, and then what it still has to tell. */
function welcomed(world: World, link: Link, epoch: number): void {
  world.welcomed = epoch;
  link.welcomed = epoch;
  const entries = world.entries.map((entry) => (entry === null ? null : inventoryOf(entry)));
  link.up.push({
    t: 'inventory',
    entries: entries.map((entry) => (entry?.isTold === true ? entry.said : null)),
  });
  for (const [command, entry] of world.entries.entries())
    if (entry?.outcome != null && !entry.isConfirmed) tell(link, command, entry, entry.outcome);
}

function inventoryOf({ attempt, outcome, isExecuting, isConfirmed }: Entry): {
  isTold: boolean;
  said: { attempt: number; status: Status };
} {
  if (outcome !== null) return { isTold: !isConfirmed, said: { attempt, status: 'ended' } };
  return { isTold: true, said: { attempt, status: isExecuting ? 'running' : 'lost' } };
}

/** The same, but the broker never learns that it was welcomed: its older link, if it has one, is the newest to it. */
export function connectInVain(world: World, replica: number): string | undefined {
  if (world.left.cuts === 0) return undefined;
  world.left.cuts -= 1;
  world.owner = { replica, epoch: world.owner.epoch + 1 };
  world.releases.push({ ...world.owner, replica });
  return `a link to replica ${replica} ends as it opens, epoch ${world.owner.epoch}`;
}

/** A link under an epoch that is over is closed by its replica, sooner or later. */
export function close(world: World, place: number): string | undefined {
  const link = world.links[place];
  const isHeld = link?.epoch === world.owner.epoch && !link.isLetGo;
  if (link === undefined || link.epoch === 0 || isHeld) return undefined;
  return `replica ${link.replica} closes the link of epoch ${ended(world, place).epoch}, which is over`;
}

export function cut(world: World, place: number): string | undefined {
  if (world.left.cuts === 0 || world.links[place] === undefined) return undefined;
  world.left.cuts -= 1;
  return `the link of epoch ${ended(world, place).epoch} is cut`;
}

function ended(world: World, place: number): Link {
  const [link] = world.links.splice(place, 1);
  if (link === undefined) throw new Error('no such link');
  // One that was held ready owned nothing.
  if (link.epoch > 0) world.releases.push({ replica: link.replica, epoch: link.epoch });
  return link;
}

/** The process dies, with or without its journal; what it had begun is lost unless an ending was written down. */
export function die(world: World, has: Has, isJournalLost: boolean): string | undefined {
  const { left } = world;
  if (left.brokerDeaths === 0 || (isJournalLost && left.journalLosses === 0)) return undefined;
  left.brokerDeaths -= 1;
  if (isJournalLost) left.journalLosses -= 1;
  while (world.links.length > 0) ended(world, 0);
  world.turns = [];
  world.entries = world.entries.map((entry) => {
    if (entry === null || isJournalLost) return null;
    if (entry.outcome === null && !has('journal before acting')) return null;
    return { ...entry, isExecuting: false };
  });
  if (isJournalLost) world.journal += 1;
  return isJournalLost ? 'the broker dies, and its journal is lost' : 'the broker dies';
}

/** What was begun before it died it goes on with, where its op knows how far it came. */
export function recover(world: World, scope: Scope): string | undefined {
  if (!hasToRecover(world, scope)) return undefined;
  for (const [command, entry] of world.entries.entries()) {
    if (entry === null || entry.outcome !== null || entry.isExecuting) continue;
    entry.isExecuting = true;
    world.turns.push(command);
  }
  return 'the broker goes on with what it had begun';
}

function hasToRecover({ entries }: World, { isRecoverable }: Scope): boolean {
  return isRecoverable && entries.some((entry) => entry?.outcome === null && !entry.isExecuting);
}

/** Takes the next frame of a link. */
export function take(world: World, has: Has, place: number): string | undefined {
  const link = world.links[place];
  const frame = link?.down.shift();
  if (link === undefined || frame === undefined) return undefined;
  if (frame.t === 'dispatch') return taken(world, has, link, frame);
  if (frame.t === 'cancel') return cancelled(world, has, link, frame);
  if (frame.t === 'welcome') {
    welcomed(world, link, frame.epoch);
    return `the broker is welcomed on the link that it held ready, epoch ${frame.epoch}`;
  }
  if (frame.t !== 'confirm') return undefined;
  const entry = world.entries[frame.command];
  if (entry != null && !entry.isExecuting) {
    entry.isConfirmed = true;
    entry.outcome ??= 'lost';
  }
  return `the broker learns that the ending of ${nameOf(frame.command)} is on record`;
}

function taken(
  world: World,
  has: Has,
  link: Link,
  { command, attempt }: Frame & { t: 'dispatch' | 'cancel' },
): string {
  const entry = world.entries[command] ?? null;
  const what = `the broker takes ${nameOf(command)}, attempt ${attempt}`;
  if (entry !== null && isKnown(entry, attempt)) {
    repeated(entry, has, attempt);
    put(link.up, { t: 'ack', command, attempt });
    if (entry.outcome !== null) tell(link, command, entry, entry.outcome);
    return `${what}, which it knows`;
  }
  if (has('begin on the newest link') && link.welcomed < world.welcomed)
    return `${what}, on an older link, and does not begin it`;
  world.entries[command] = {
    attempt,
    outcome: null,
    isExecuting: true,
    hasEffect: false,
    isConfirmed: false,
  };
  world.turns = [...world.turns.filter((other) => other !== command), command];
  put(link.up, { t: 'ack', command, attempt });
  return what;
}

function cancelled(
  world: World,
  has: Has,
  link: Link,
  { command, attempt }: Frame & { t: 'dispatch' | 'cancel' },
): string {
  let entry = world.entries[command] ?? null;
  if (entry?.isExecuting === true) {
    // What has begun to act ends by itself: as done, since it was too late.
    if (!entry.hasEffect) end(world, command, entry, 'cancelled');
  } else if (entry !== null && entry.outcome === null) end(world, command, entry, 'lost');
  else if (entry === null || !isKnown(entry, attempt)) {
    entry = { attempt, outcome: 'cancelled', isExecuting: false, hasEffect: false, isConfirmed: false };
    world.entries[command] = has('tombstones') ? entry : null;
  }
  repeated(entry, has, attempt);
  if (entry.outcome !== null) tell(link, command, entry, entry.outcome);
  return `the broker is asked to stop ${nameOf(command)}${entry.outcome === null ? '' : `: ${entry.outcome}`}`;
}

/** It answers for the attempt that was sent last, in whatever order they come. */
function repeated(entry: Entry, has: Has, attempt: number): void {
  if (attempt > entry.attempt || !has('attempts only grow')) entry.attempt = attempt;
}

/** What was begun and lost counts as not known, and so does, under a newer attempt, what failed in a way that may pass. */
function isKnown({ attempt, outcome, isExecuting }: Entry, asked: number): boolean {
  if (isExecuting) return true;
  return outcome !== null && !(outcome === 'retry' && asked > attempt);
}

/** Whose turn it is in its key acts, unless its deadline has passed. @returns undefined where it is not its turn */
export function act(world: World, scope: Scope, has: Has, command: number): Acted | undefined {
  const entry = world.entries[command];
  if (entry?.isExecuting !== true || entry.hasEffect || entry.outcome !== null) return undefined;
  const isFirst = world.turns.find((other) => isSameKey(scope, other, command)) === command;
  if (!isFirst) return undefined;
  if (has('begin before the deadline') && world.rows[command]?.isOverdue === true) return 'declines';
  return 'acts';
}

export type Acted = 'acts' | 'declines';

const isSameKey = ({ keys }: Scope, one: number, other: number): boolean =>
  one === other || (keys[one] != null && keys[one] === keys[other]);

export function decline(world: World, command: number): string | undefined {
  const entry = world.entries[command];
  if (entry == null) return undefined;
  end(world, command, entry, 'failed');
  told(world, command, entry);
  return `the broker does not begin ${nameOf(command)}, whose deadline has passed`;
}

export function fail(world: World, command: number): string | undefined {
  const entry = world.entries[command];
  if (entry == null || world.left.failures === 0) return undefined;
  world.left.failures -= 1;
  end(world, command, entry, 'retry');
  told(world, command, entry);
  return `${nameOf(command)} fails in a way that may pass`;
}

export function affect(world: World, command: number): string | undefined {
  const entry = world.entries[command];
  if (entry == null) return undefined;
  entry.hasEffect = true;
  world.effects[command] = (world.effects[command] ?? 0) + 1;
  return `${nameOf(command)} takes effect`;
}

/** What has acted is written down as done, and then told. */
export function finish(world: World, has: Has, command: number): string | undefined {
  const entry = world.entries[command];
  if (entry?.isExecuting !== true || !entry.hasEffect) return undefined;
  end(world, command, entry, 'succeeded');
  told(world, command, entry);
  if (!has('endings are kept')) world.entries[command] = null;
  return `the broker writes down that ${nameOf(command)} is done`;
}

function end(world: World, command: number, entry: Entry, outcome: Outcome): void {
  entry.outcome = outcome;
  entry.isExecuting = false;
  world.turns = world.turns.filter((other) => other !== command);
}

function told({ links }: World, command: number, entry: Entry): void {
  const newest = links.findLast(({ welcomed: known }) => known > 0);
  if (newest !== undefined && entry.outcome !== null) tell(newest, command, entry, entry.outcome);
}

function tell(link: Link, command: number, { attempt }: Entry, outcome: Outcome): void {
  put(link.up, { t: 'result', command, attempt, outcome });
}
