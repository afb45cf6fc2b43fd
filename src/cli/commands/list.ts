import type { Ask, Client } from '../api/client.js';
import type { Invocation } from '../invocation.js';
import type { PageOptions, WatchOptions } from '../options.js';
import { table, type Column } from '../output/table.js';
import { showWatched, type View } from '../watch.js';

type Page<R> = { items: R[]; nextCursor: string | null };

/** @param nowMs the hub's time in milliseconds, against which ages are measured */
type Columns<R> = (nowMs: number) => Column<R>[];

/**
 * Prints one page of a list, and how to see the next one; again and again with `--watch`.
 *
 * @param open who asks the hub; left out: the user
 */
export async function printList<R>(
  run: Invocation<PageOptions & WatchOptions>,
  path: string,
  query: Ask['query'],
  columns: Columns<R>,
  open: () => Promise<Client> = () => run.hub(),
): Promise<void> {
  const hub = await open();
  const { limit, cursor } = run.options;
  await showWatched(run, hub, async (signal) => {
    const page = await hub.ask<Page<R>>({ method: 'GET', path, query: { ...query, limit, cursor }, signal });
    return viewOf(run, hub, page, columns);
  });
}

function viewOf<R>(run: Invocation<object>, hub: Client, page: Page<R>, columns: Columns<R>): View {
  return {
    document: page,
    lines: () => table(page.items, columns(hub.hubNowMs), run.printer.paint),
    notes: [
      ...(page.items.length === 0 ? ['There is none.'] : []),
      ...(page.nextCursor === null ? [] : [`There is more: --cursor ${page.nextCursor}`]),
    ],
  };
}
