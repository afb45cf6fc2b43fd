import type { Api } from '../../support/api.js';
import { eventually } from '../../support/eventually.js';
import type { Caller } from './caller.js';
import type { WorkingBroker } from './working-broker.js';

const MORE = 10;
const AT_ONCE = 50;

/** Resolves when each caller has had some more commands accepted. */
export async function goOn(callers: readonly Caller[]): Promise<void> {
  const before = callers.map(({ accepted }) => accepted.length);
  const isPast = ({ accepted }: Caller, place: number) => accepted.length > (before[place] ?? 0) + MORE;
  await eventually(() => callers.every(isPast), { withinMs: 30_000 });
}

/** Stops the callers, and tells what became of all that was accepted: in which states it ended, and what was begun how often. */
export async function accountOf(api: Api, callers: readonly Caller[], workers: readonly WorkingBroker[]) {
  await Promise.all(callers.map((caller) => caller.stop()));
  const accepted = callers.flatMap((caller) => caller.accepted);
  const states = new Set<string>();
  for (let at = 0; at < accepted.length; at += AT_ONCE) {
    const ends = await Promise.all(accepted.slice(at, at + AT_ONCE).map((id) => api.dispatch(id, 20)));
    for (const { state } of ends) states.add(String(state));
  }
  const begun = workers.flatMap((worker) => worker.begun).sort();
  return { accepted: accepted.sort(), states: [...states], begun };
}
