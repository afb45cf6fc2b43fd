/** All that may happen next in a world, each as the world that it leads to. */
import * as broker from './broker.js';
import * as hub from './hub.js';
import type { Has } from './hub.js';
import { isLive } from './rows.js';
import { copyOf, type Scope, type World } from './world.js';

export type Step = {
  told: string;
  world: World;
  /** Whether a command took effect out of its turn. */
  isOutOfOrder: boolean;
};

export function stepsFrom(world: World, scope: Scope, has: Has): Step[] {
  const steps: Step[] = [];
  const may = (change: (world: World) => string | undefined): void => {
    const next = copyOf(world);
    const told = change(next);
    if (told !== undefined) steps.push({ told, world: next, isOutOfOrder: false });
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
      may((next) => hub.claim(next, scope, has, place, command));
      may((next) => hub.send(next, place, command));
      may((next) => hub.askToStop(next, place, command));
    }
  }
  for (const command of commands) {
    may((next) => hub.cancel(next, has, command));
    may((next) => hub.pass(next, command));
    may((next) => hub.expire(next, has, command));
    may((next) => broker.finish(next, has, command));
    const acted = broker.act(world, scope, command);
    if (acted === 'declines') may((next) => broker.decline(next, command));
    if (acted !== 'acts') continue;
    may((next) => broker.fail(next, command));
    const before = steps.length;
    may((next) => broker.affect(next, command));
    for (const step of steps.slice(before)) step.isOutOfOrder = isOutOfTurn(world, scope, command);
  }
  for (const replica of replicas) {
    may((next) => broker.connect(next, replica));
    may((next) => broker.connectInVain(next, replica));
    may((next) => broker.holdReady(next, replica));
    may((next) => hub.die(next, has, replica));
  }
  may((next) => broker.die(next, has, false));
  may((next) => broker.die(next, has, true));
  may((next) => hub.release(next, has));
  return steps;
}

/** Whether an earlier command of the key lives still, or a later one was done already. */
function isOutOfTurn({ rows, effects }: World, { keys, isRepeatable }: Scope, command: number): boolean {
  const key = keys[command] ?? null;
  if (key === null || isRepeatable) return false;
  return rows.some((row, other) => {
    if (keys[other] !== key) return false;
    return other < command ? isLive(row) : other > command && (effects[other] ?? 0) > 0;
  });
}
