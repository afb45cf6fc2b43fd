/**
 * Commands that go on until somebody ends them: `--watch` and `--follow`. Whoever starts one hears at once that it
 * cannot work, as from any other command; after that it outlives what passes, such as a hub that is replaced.
 */
import { Fault } from './fault.js';
import type { Invocation } from './invocation.js';
import { span } from './output/age.js';
import { report } from './output/report.js';
import { untilSignal } from './until-signal.js';

export type Pace = {
  everyS: number;
  /** Failures after which going on makes no sense. */
  isFinal?: (fault: Fault) => boolean;
};

/**
 * Takes turns, with a pause after each, until SIGINT.
 *
 * @param turn looks, handing the signal to every call so that nothing holds up the end, and returns how what it saw
 *   is shown
 * @throws what the first turn throws; later what is no Fault or is final, and everything else is shown and tried again
 */
export async function keepOn(
  run: Invocation<object>,
  { everyS, isFinal = () => false }: Pace,
  turn: (signal: AbortSignal) => Promise<() => void>,
): Promise<void> {
  const { printer, surroundings, secrets } = run;
  await untilSignal(['SIGINT'], async (signal) => {
    for (let isFirst = true; !signal.aborted;) {
      try {
        const show = await turn(signal);
        if (signal.aborted) return;
        show();
        isFirst = false;
      } catch (error) {
        if (signal.aborted) return;
        if (isFirst || !(error instanceof Fault) || isFinal(error)) throw error;
        report(error, printer, surroundings.stderr, secrets);
        printer.note(`Trying again in ${span(everyS)}.`);
      }
      await surroundings.clock.pause(everyS * 1000, signal);
    }
  });
}
