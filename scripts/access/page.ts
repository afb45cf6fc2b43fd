import { CREDENTIALS } from './credentials.js';
import type { Row } from './table.js';

const INTRODUCTION = `# Who may ask what

What a hub answers on each of its routes to each kind of credential, good ones and bad ones. The table is measured: a hub is
started, and every route asked with every credential, without a body that would make sense. So 400, 404, 409 and 200 alike say that
the caller was let in; 401 that the credential is none, or none for this; 403 that its holder is known and may not.

A credential of one kind is refused everywhere else. Where the body is the credential, which is at a join and at the exchange of
an assertion, it stands both there and in the header. HEAD answers as GET does. What a replica signs means nothing on the public
listener. The internal one is asked from loopback, where a drain needs no signature; whoever signs is judged by that all the same.

This page is made by \`npm run access:write\`. A test asks anew, and fails on every difference.
`;

/** docs/access.md */
export function accessPage(rows: readonly Row[]): string {
  const meanings = CREDENTIALS.map(({ column, meaning }) => [column, meaning]);
  const head = ['route', ...CREDENTIALS.map(({ column }) => column)];
  const of = (listener: Row['listener']) =>
    table(
      head,
      rows
        .filter((row) => row.listener === listener)
        .map(({ method, path, statuses }) => [`\`${method} ${path}\``, ...statuses.map(String)]),
    );
  return [
    INTRODUCTION,
    '## The credentials\n',
    `${table(['column', 'what is shown'], meanings)}\n`,
    '## The public listener\n',
    `${of('public')}\n`,
    '## The internal listener\n',
    `${of('internal')}\n`,
  ].join('\n');
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
