/** All that may happen next in a world, each as the world that it leads to. */
import * as broker from './broker.js';
import * as hub from './hub.js';
import type { Has } from './hub.js';
import { BOUND, IN_TIME, NO_MORE, ORDER } from './promises.js';
import { isLive } from './rows.js';
import { copyOf, type Scope, type World } from './world.js';

export type Step = {
  told: string;
  world: World;
  /** The promise that the step itself breaks, whatever world it leads to. */
  broken: string | undefined;
};

export function stepsFrom(world: World, scope: Scope, has: Has): Step[] {
  const steps: Step[] = [];
  const may = (change: (world: World) => string | undefined, broken?: string): void => {
    const next = copyOf(world);
    const told = change(next);
    if (told !== undefined) steps.push({ told, world: next, broken });
  };
  const commands = world.rows.map((_row, command) => command);
  const links = world.links.map((_link, place) => place);
  const replicas = Array.from({ length: scope.replicas }, (_none, replica) => replica);

  for (const place of links) {
    may((next) => hub.take(next, scope, has, place));
    may((next) => broker.take(next, has, place));
    may((next) => broker.cut(next, place));
    may((next) => broker.close(next, place));
    may((next) => hub.letGo(next, place));
    may((next) => broker.promote(next, place));
    for (const command of commands) {
      may((next) => hub.claim(next, scope, has, place, command), brokenByClaim(world, place, command));
      may((next) => hub.send(next, place, command));
      may((next) => hub.askToStop(next, place, command));
    }
  }
  for (const command of commands) {
    may((next) => hub.cancel(next, has, command));
    may((next) => hub.pass(next, command));
    may((next) => hub.expire(next, has, command));
    may((next) => hub.lapse(next, has, command));
    may((next) => hub.supersede(next, scope, has, command));
    may((next) => broker.finish(next, has, command));
    const acted = broker.act(world, scope, has, command);
    if (acted === 'declines') may((next) => broker.decline(next, command));
    if (acted !== 'acts') continue;
    may((next) => broker.fail(next, command));
    may((next) => broker.affect(next, command), brokenByEffect(world, scope, command));
  }
  for (const replica of replicas) {
    may((next) => broker.connect(next, scope, has, replica));
    may((next) => broker.connectInVain(next, replica));
    may((next) => broker.holdReady(next, replica));
    may((next) => hub.die(next, has, replica));
  }
  may((next) => broker.recover(next, scope));
  may((next) => broker.die(next, has, false));
  may((next) => broker.die(next, has, true));
  may((next) => hub.release(next, has));
  return steps;
}

function brokenByClaim({ rows, links }: World, place: number, command: number): string | undefined {
  const row = rows[command];
  if (row?.boundTo != null && row.boundTo !== links[place]?.epoch) return BOUND;
  return row?.isGivenUp === true || row?.isOverdue === true ? NO_MORE : undefined;
}

function brokenByEffect(world: World, scope: Scope, command: number): string | undefined {
  if (isOutOfTurn(world, scope, command)) return ORDER;
  return world.rows[command]?.isOverdue === true ? IN_TIME : undefined;
}

/** Whether an earlier command of the key lives still, or a later one was done already, after which none but a repeat may come. */
function isOutOfTurn({ rows, effects }: World, { keys, isRepeatable }: Scope, command: number): boolean {
  const key = keys[command] ?? null;
  if (key === null) return false;
  return rows.some((row, other) => {
    if (keys[other] !== key) return false;
    if (other < command) return isLive(row);
    return other > command && !isRepeatable && (effects[other] ?? 0) > 0;
  });
}
