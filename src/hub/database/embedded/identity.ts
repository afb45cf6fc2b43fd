import { readFileSync, statSync } from 'node:fs';
import { run, type Identity } from './run.js';
import { EmbeddedDatabaseError } from './server.error.js';

/**
 * Who PostgreSQL runs as. It refuses to run as root, and initdb wants its user to have an entry in the list of
 * users, so that an invented uid will not do.
 *
 *  - not root: this process's own user;
 *  - root, and the database exists: whoever owns it, so that a user that appears later does not take its place;
 *  - root otherwise: the first of the customary unprivileged users that this system has and lets us become.
 *
 * @param data the database's directory, which need not exist
 * @throws EmbeddedDatabaseError `identity_missing`
 */
export async function identityFor(data: string): Promise<Identity> {
  if (process.getuid?.() !== 0) return {};
  return ownerOf(data) ?? (await firstUsable(unprivilegedUsers()));
}

/** The shell's answer to whether a directory can be entered (and written), asked as that user. */
export async function canUse(directory: string, as: Identity, how: 'enter' | 'write'): Promise<boolean> {
  // Asked by trying, not by reading modes: access lists, mounts and user namespaces decide as well.
  const script = how === 'enter' ? 'cd "$1"' : 'cd "$1" && test -w .';
  const { code } = await run('/bin/sh', ['-c', script, 'sh', directory], { as, withinMs: 10_000 });
  return code === 0;
}

function ownerOf(data: string): Identity | undefined {
  const owner = statSync(data, { throwIfNoEntry: false });
  if (owner === undefined) return undefined;
  if (owner.uid === 0) {
    throw new EmbeddedDatabaseError(
      'identity_missing',
      `${data} belongs to root, and PostgreSQL refuses to run as root: give it to an unprivileged user (chown -R)`,
    );
  }
  return { uid: owner.uid, gid: owner.gid };
}

async function firstUsable(users: Required<Identity>[]): Promise<Identity> {
  for (const user of users) {
    if (await canUse('/', user, 'enter')) return user;
  }
  throw new EmbeddedDatabaseError(
    'identity_missing',
    'running as root, where PostgreSQL refuses to run, and there is no user postgres, nobody or daemon that it ' +
      'could run as; run as another user, or set DATABASE_URL',
  );
}

function unprivilegedUsers(): Required<Identity>[] {
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  return ['postgres', 'nobody', 'daemon'].flatMap((wanted) =>
    entries
      .filter(([name]) => name === wanted)
      .map(([, , uid, gid]) => ({ uid: Number(uid), gid: Number(gid) })),
  );
}
