import type { Ask } from '../api/client.js';
import type { Invocation } from '../invocation.js';
import type { PageOptions } from '../options.js';
import { table, type Column } from '../output/table.js';

type Page<R> = { items: R[]; nextCursor: string | null };

/**
 * Prints one page of a list, and how to see the next one.
 *
 * @param columns given the hub's time in milliseconds, against which ages are measured
 */
export async function printList<R>(
  run: Invocation<PageOptions>,
  path: string,
  query: Ask['query'],
  columns: (nowMs: number) => Column<R>[],
): Promise<void> {
  const { printer, options } = run;
  const hub = await run.hub();
  const { limit, cursor } = options;
  const page = await run.spin('asking the hub', () =>
    hub.ask<Page<R>>({ method: 'GET', path, query: { ...query, limit, cursor } }),
  );
  printer.data(page, () => table(page.items, columns(hub.hubNowMs), printer.paint));
  if (page.items.length === 0) printer.note('There is none.');
  if (page.nextCursor !== null) printer.note(`There is more: --cursor ${page.nextCursor}`);
}
