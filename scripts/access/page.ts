import { CREDENTIALS } from './credentials.js';
import { HOLDERS, type ProjectRow } from './projects.js';
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

const OF_PROJECTS = `What is of a project is not there for those of another one: 404, as for what does not exist. These are all routes that name a
project or something in one, asked for what is there, with a body that makes sense. What is the business of the hub alone is 403,
whatever it is asked for. Of a list that names nothing it is \`nothing\` where it has nothing of the project. Where several things are asked
for at once it is the answer to the one that is of the project.
`;

/** docs/access.md */
export function accessPage(rows: readonly Row[], ofProjects: readonly ProjectRow[]): string {
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
    '## What is of another project\n',
    OF_PROJECTS,
    `${table(
      ['column', 'what is shown'],
      HOLDERS.map(({ column, meaning }) => [column, meaning]),
    )}\n`,
    `${table(
      ['route', ...HOLDERS.map(({ column }) => column)],
      ofProjects.map(({ method, path, answers }) => [`\`${method} ${path}\``, ...answers]),
    )}\n`,
  ].join('\n');
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
