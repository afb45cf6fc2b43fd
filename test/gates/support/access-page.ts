import { CREDENTIALS } from '../../../scripts/access/credentials.js';

/** A route, and what it answers to each kind of credential. */
type Row = { name: string; statuses: Map<string, number> };

/** The routes in the part of docs/access.md that is by credential. */
export function rowsIn(page: string): Row[] {
  const lines = [...page.matchAll(/^\| `([A-Z]+ \/.*?)` \| (.*) \|$/gm)];
  return lines.map(([, name, cells]) => {
    const statuses = cells!.split(' | ').map(Number);
    return { name: name!, statuses: new Map(CREDENTIALS.map(({ column }, at) => [column, statuses[at]!])) };
  });
}

const OF_PERSONS = /p-(mem|adm)|w-(bare|ok)/;
const NOBODY = 401;

/**
 * The routes on which persons alone are let in are left out: what remains lets in somebody else, or answers all who ask alike. On
 * the internal listener that is each.
 */
export function strangersIn(page: string): string[] {
  const [open = '', rest = ''] = page.split('\n## The internal listener\n');
  const [internal = ''] = rest.split('\n## What is of another project\n');
  const isForPersons = ({ statuses }: Row) =>
    [...statuses].every(([column, status]) => OF_PERSONS.test(column) || status === NOBODY) &&
    statuses.get('**p-adm**') !== NOBODY;
  return [...rowsIn(open).filter((row) => !isForPersons(row)), ...rowsIn(internal)].map(({ name }) => name);
}
