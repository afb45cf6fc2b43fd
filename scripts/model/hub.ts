/** The hub's part: what its replicas do with the rows, each step one statement that is committed or is not. */
import { LINK_BOUND, transition, type Contract } from '../../src/hub/dispatch/state.js';
import type { Fence } from './fences.js';
import { FAILURES_MOST, force, happen, isLive, isOut, must, nameOf, waitsForItsKey } from './rows.js';
import { put, type Frame, type Link, type Row, type Scope, type World } from './world.js';

/** Which fences are in place. */
export type Has = (fence: Fence) => boolean;

const isLinkBound = (contract: Contract): boolean => LINK_BOUND.includes(contract);

const ownsBroker = ({ owner }: World, { replica, epoch }: Link): boolean =>
  owner.replica === replica && owner.epoch === epoch;

export function claim(
  world: World,
  { keys, contract }: Scope,
  has: Has,
  place: number,
  command: number,
): string | undefined {
  const [link, row] = [world.links[place], world.rows[command]];
  if (link === undefined || !isLive(row) || !link.isReady) return undefined;
  if (has('claim before the deadline') && row.isOverdue) return undefined;
  if (has('claim under the epoch on record') && !ownsBroker(world, link)) return undefined;
  if (isLinkBound(contract) && has('claim on the link that it is bound to') && row.boundTo !== link.epoch)
    return undefined;
  const isPending = transition(row.state, 'claim') !== undefined;
  if (!isPending && (has('claim of what is pending') || row.attempt > 1)) return undefined;
  if (has('key rule') && waitsForItsKey(world, keys, command)) return undefined;
  if (!happen(row, 'claim')) force(row, 'claim');
  row.attempt += 1;
  row.claim = { replica: link.replica, epoch: link.epoch, journal: link.journal };
  return `replica ${link.replica} claims ${nameOf(command)} under epoch ${link.epoch}, attempt ${row.attempt}`;
}

/** Once a claim is committed its frame goes out, and again while no ack comes. */
export function send(world: World, place: number, command: number): string | undefined {
  const [link, row] = [world.links[place], world.rows[command]];
  if (link === undefined || row?.state !== 'claimed' || row.claim?.epoch !== link.epoch) return undefined;
  return put(link.down, { t: 'dispatch', command, attempt: row.attempt })
    ? `replica ${link.replica} sends ${nameOf(command)}, attempt ${row.attempt}`
    : undefined;
}

/** What its caller gave up, or what is past its deadline, the broker is asked to stop, again and again. */
export function askToStop(world: World, place: number, command: number): string | undefined {
  const [link, row] = [world.links[place], world.rows[command]];
  if (link === undefined || !isOut(row) || row.claim?.epoch !== link.epoch) return undefined;
  if (!row.isGivenUp && !row.isOverdue) return undefined;
  return put(link.down, { t: 'cancel', command, attempt: row.attempt })
    ? `replica ${link.replica} asks the broker to stop ${nameOf(command)}`
    : undefined;
}

/** The replica of a link takes the broker's next frame. */
export function take(world: World, scope: Scope, has: Has, place: number): string | undefined {
  const link = world.links[place];
  const frame = link?.up.shift();
  if (link === undefined || frame === undefined) return undefined;
  const who = `replica ${link.replica}`;
  if (frame.t === 'promote') return `${who} ${promoted(world, link)}`;
  if (frame.t === 'inventory') return `${who} ${judge(world, scope, has, link, frame.entries)}`;
  if (frame.t === 'ack') return `${who} takes the ack of ${nameOf(frame.command)}${acked(world, has, frame)}`;
  if (frame.t !== 'result') return undefined;
  const what = settled(world, scope, has, frame);
  if (what.isConfirmed || !has('confirm after the ending'))
    put(link.down, { t: 'confirm', command: frame.command });
  return `${who} takes the result of ${nameOf(frame.command)}, ${frame.outcome}: ${what.told}`;
}

function acked(world: World, has: Has, { command, attempt }: Frame & { t: 'ack' }): string {
  const row = world.rows[command];
  if (row === undefined || (has('ack of its attempt') && row.attempt !== attempt))
    return ', which is of no use';
  if (has('ack of its attempt')) return happen(row, 'ack') ? '' : ', which is of no use';
  if (isLive(row)) force(row, 'ack');
  return '';
}

function settled(
  world: World,
  scope: Scope,
  has: Has,
  { command, attempt, outcome }: Frame & { t: 'result' },
): { told: string; isConfirmed: boolean } {
  const row = world.rows[command];
  if (row === undefined) return { told: 'nobody knows it', isConfirmed: true };
  const isOfAttempt = row.attempt === attempt || !has('result of its attempt');
  const isFenced = has('result of what is out');
  if (isFenced && !isLive(row)) return { told: 'it has ended', isConfirmed: true };
  // Without the fence it ends what has ended, once: that is enough to be found.
  if (!isOfAttempt || (isFenced && !isOut(row)) || row.endings > 1)
    return { told: 'it is of another attempt', isConfirmed: false };
  ended(row, outcome, scope, has, isFenced ? must : force);
  // What is tried again has no ending yet that could be on record.
  return { told: `it is ${row.ending ?? row.state} now`, isConfirmed: !isLive(row) };
}

function ended(
  row: Row,
  outcome: (Frame & { t: 'result' })['outcome'],
  { contract }: Scope,
  has: Has,
  become: typeof must,
): void {
  if (outcome === 'succeeded') become(row, 'succeed', 'succeeded');
  else if (outcome === 'failed') become(row, 'fail', 'failed');
  else if (outcome === 'lost') become(row, 'fail', 'unknown');
  else if (outcome === 'cancelled') {
    if (row.isOverdue && !row.isGivenUp) become(row, 'expire', 'expired');
    else become(row, 'cancel', 'cancelled');
  } else if (
    row.isOverdue ||
    isLinkBound(contract) ||
    (row.isGivenUp && has('no retry of what was given up'))
  )
    become(row, 'fail', 'failed');
  else if (row.failures + 1 >= FAILURES_MOST) become(row, 'exhaust', 'dead');
  else {
    row.failures += 1;
    become(row, 'retry');
  }
}

/** Compares what the broker's journal knows with what is out with it, before anything is claimed on the link. */
function judge(
  world: World,
  scope: Scope,
  has: Has,
  link: Link,
  entries: (Frame & { t: 'inventory' })['entries'],
): string {
  if (has('inventory under the epoch on record') && !ownsBroker(world, link))
    return 'takes an inventory, and holds the broker no more';
  const verdicts: string[] = [];
  for (const [command, row] of world.rows.entries()) {
    if (!isOut(row) || row.claim?.epoch === link.epoch) continue;
    verdicts.push(`${nameOf(command)} is ${verdictOf(row, entries[command] ?? null, scope, has, link)}`);
  }
  link.isReady = true;
  // What waited for the next link is for this one, or for none.
  if (isLinkBound(scope.contract))
    for (const row of world.rows) if (row.state === 'pending') row.boundTo ??= link.epoch;
  for (const [command, said] of entries.entries())
    if (said?.status === 'ended' && !isLive(world.rows[command])) put(link.down, { t: 'confirm', command });
  return `takes the inventory: ${verdicts.length === 0 ? 'nothing was out' : verdicts.join(', ')}`;
}

function verdictOf(
  row: Row,
  said: { attempt: number; status: string } | null,
  { isRepeatable, contract }: Scope,
  has: Has,
  { replica, epoch, journal }: Link,
): string {
  const isKnown = said !== null && (said.status !== 'lost' || !has('lost is not running'));
  if (isKnown && said.attempt === row.attempt) {
    must(row, 'adopt');
    row.claim = { replica, epoch, journal };
    return 'adopted';
  }
  if (isKnown && row.state === 'claimed') {
    must(row, 'resend');
    row.claim = { replica, epoch, journal };
    return 'known by another attempt, and sent again';
  }
  if (said === null && (row.claim?.journal === journal || !has('inventory of the same journal'))) {
    if (row.isGivenUp && has('no requeue of what was given up')) must(row, 'cancel', 'cancelled');
    else if (isLinkBound(contract)) must(row, 'lapse', 'failed');
    else if (row.isOverdue) must(row, 'expire', 'expired');
    else must(row, 'requeue');
    return 'never begun';
  }
  if (!isRepeatable || isLinkBound(contract) || (row.isGivenUp && has('no repeat of what was given up')))
    must(row, 'fail', 'unknown');
  else if (row.isOverdue) must(row, 'expire', 'unknown');
  else if (row.failures + 1 >= FAILURES_MOST) must(row, 'exhaust', 'unknown');
  else {
    row.failures += 1;
    must(row, 'requeue');
  }
  return 'begun and lost';
}

export function cancel(world: World, has: Has, command: number): string | undefined {
  const row = world.rows[command];
  if (world.left.cancels === 0 || !isLive(row) || row.isGivenUp) return undefined;
  world.left.cancels -= 1;
  const isAtOnce = row.state === 'pending' || !has('cancel waits for the broker');
  if (isAtOnce) must(row, 'cancel', 'cancelled');
  else row.isGivenUp = true;
  return `the caller cancels ${nameOf(command)}${isAtOnce ? ', which ends at once' : ''}`;
}

export function pass(world: World, command: number): string | undefined {
  const row = world.rows[command];
  if (world.left.deadlines === 0 || !isLive(row) || row.isOverdue) return undefined;
  world.left.deadlines -= 1;
  row.isOverdue = true;
  return `the deadline of ${nameOf(command)} passes`;
}

/** At once where it is out with nobody, else once the broker has kept silent for too long. */
export function expire(world: World, has: Has, command: number): string | undefined {
  const row = world.rows[command];
  if (!isLive(row) || !row.isOverdue) return undefined;
  const isKnown = row.state === 'pending' || !has('unknown after the deadline');
  must(row, 'expire', isKnown ? 'expired' : 'unknown');
  return `${nameOf(command)} expires, ${isKnown ? 'never begun' : 'and nobody knows what became of it'}`;
}

/** What is bound to a link ends with it, unless it is out: then the broker's inventory tells whether it was begun. */
export function lapse({ rows, owner }: World, has: Has, command: number): string | undefined {
  const row = rows[command];
  if (!isLive(row) || row.boundTo === null) return undefined;
  if (isOut(row) && has('lapse of what is pending')) return undefined;
  if (owner.replica !== null && owner.epoch <= row.boundTo) return undefined;
  force(row, 'lapse', 'failed');
  return `${nameOf(command)} ends with the link that it is bound to`;
}

/** All are on record to begin with: a later one of its key takes its place as soon as that is looked for. */
export function supersede(
  { rows }: World,
  { keys, contract }: Scope,
  has: Has,
  command: number,
): string | undefined {
  const row = rows[command];
  const hasLater = keys.some(
    (key, other) => other > command && key !== null && key === keys[command] && isLive(rows[other]),
  );
  if (contract !== 'latest_only' || !hasLater || !isLive(row)) return undefined;
  if (isOut(row) && has('supersede of what is pending')) return undefined;
  force(row, 'supersede', 'cancelled');
  return `a later command takes the place of ${nameOf(command)}`;
}

/** A link's end is written down: nobody holds the broker any more, if it was this link that did. */
export function release(world: World, has: Has): string | undefined {
  const ended = world.releases.shift();
  if (ended === undefined) return undefined;
  const { owner } = world;
  const isOwner = owner.replica === ended.replica && owner.epoch === ended.epoch;
  if (isOwner || !has('release under its epoch')) owner.replica = null;
  return `replica ${ended.replica} writes down that the link of epoch ${ended.epoch} has ended`;
}

/**
 * The broker is let go of while its link is open: the others took the replica for dead while it stood still, or it drains and
 * its deadline has come.
 */
export function letGo(world: World, place: number): string | undefined {
  const link = world.links[place];
  if (link === undefined || world.left.lettings === 0 || !ownsBroker(world, link)) return undefined;
  world.left.lettings -= 1;
  world.owner.replica = null;
  link.isLetGo = true;
  return `the broker of replica ${link.replica}, epoch ${link.epoch}, is let go of, and its link is open`;
}

/** The broker wants the link that it held ready for its own: a connection like any other, which begins with an inventory. */
function promoted(world: World, link: Link): string {
  world.owner = { replica: link.replica, epoch: world.owner.epoch + 1 };
  link.epoch = world.owner.epoch;
  link.down.push({ t: 'welcome', epoch: link.epoch });
  return `takes the broker on the link that was held ready, epoch ${link.epoch}`;
}

/** A replica dies, and boots anew. */
export function die(world: World, has: Has, replica: number): string | undefined {
  if (world.left.replicaDeaths === 0) return undefined;
  world.left.replicaDeaths -= 1;
  world.links = world.links.filter((link) => link.replica !== replica);
  world.releases = world.releases.filter((release) => release.replica !== replica);
  if (!has('owners hold through deaths'))
    for (const row of world.rows) if (isOut(row) && row.claim?.replica === replica) must(row, 'requeue');
  return `replica ${replica} dies`;
}
