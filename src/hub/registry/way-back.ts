/** What somebody does to have a broker linked again, on which machine, in commands that can be pasted as they are. */
export type WayBack = {
  /** Where the hub is dialled. */
  urls: string[];
  /** false for one that was revoked, which is admitted nowhere. */
  isAdmitted: boolean;
  /** On its own machine, where its folder still is; null where it would not be admitted. */
  start: string | null;
  /** Where its folder is lost, or it was revoked: its name is freed, and a new broker joins under it. */
  replace: string[];
};

type Known = { id: string; name: string; labels: Readonly<Record<string, string>>; revokedAt: Date | null };

/** Without any quoting a shell reads it as one word. */
const PLAIN = /^[\w@%+=:,./-]+$/;
/** What is left of a name that is put aside, so that it stays a name with 9 characters of the broker's id behind it. */
const KEPT_OF_NAME = 54;

/**
 * The join token is in none of the commands, nor is anything in its place: what is pasted without one is refused, and does not
 * join with a word that stands for one.
 */
export function wayBackOf({ id, name, labels, revokedAt }: Known, urls: readonly string[]): WayBack {
  const isAdmitted = revokedAt === null;
  const aside = `${name.slice(0, KEPT_OF_NAME)}-${id.slice(-8)}`;
  const words = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
  const command = (...parts: string[]): string => ['fairlead', ...parts].map(quoted).join(' ');
  return {
    urls: [...urls],
    isAdmitted,
    start: isAdmitted ? command('broker', 'start') : null,
    replace: [
      ...(isAdmitted ? [command('brokers', 'revoke', name)] : []),
      command('brokers', 'rename', name, aside),
      command('join-tokens', 'create', '--seats', '1'),
      command('broker', 'join', urls.join(','), '--name', name, ...words),
      command('broker', 'start'),
    ],
  };
}

/** As a POSIX shell reads it as one word, whatever is in it. */
function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
