/**
 * What `--watch` does with a view: on a terminal each replaces the one before it, anywhere else each follows the one
 * before it, and with `--json` each is one line.
 */
import type { Client } from './api/client.js';
import type { Invocation } from './invocation.js';
import { keepOn } from './keep-on.js';
import type { WatchOptions } from './options.js';
import { span } from './output/age.js';

export type View = { document: unknown; lines: () => readonly string[]; notes: readonly string[] };

/** The cursor goes home, and the screen is emptied from there; what was scrolled out of it stays. */
const EMPTY_SCREEN = '\u001b[H\u001b[2J';

/** Shows a view once, or over and over with `--watch`. @throws what `look` throws, as `keepOn` has it */
export async function showWatched(
  run: Invocation<WatchOptions>,
  hub: Client,
  look: (signal?: AbortSignal) => Promise<View>,
): Promise<void> {
  const { watch } = run.options;
  if (watch === undefined) {
    show(run, await run.spin('asking the hub', () => look()));
    return;
  }
  await keepOn(run, { everyS: watch }, async (signal) => {
    const view = await look(signal);
    return () => {
      if (!run.printer.isJson) beginAnew(run, watch, hub.hubNowMs);
      show(run, view);
    };
  });
}

function beginAnew({ printer, surroundings }: Invocation<object>, everyS: number, nowMs: number): void {
  const { stdout, env } = surroundings;
  if (stdout.isTTY === true && env.TERM !== 'dumb') stdout.write(EMPTY_SCREEN);
  const time = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  printer.lines([printer.paint('dim', `${time}, every ${span(everyS)}`)]);
}

function show({ printer }: Invocation<object>, { document, lines, notes }: View): void {
  printer.data(document, lines);
  for (const note of notes) printer.note(note);
}
