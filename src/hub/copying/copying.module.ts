/**
 * How does a hub move from one database to another?
 *
 * `fairlead migrate copy` copies all rows, table by table in batches, into an empty database of the same schema, and
 * proves at the end that both hold the same. It is not a part of a running hub: it refuses while a replica of the source is
 * alive, and holds the lock of migrations there, for which a hub that starts meanwhile waits.
 *
 *     empty -> copying -> verified, and usable
 *                 ^ |
 *                 \_/  killed at any moment: the same command goes on where it was
 *
 * What may be relied on: each batch and the note of how far it came are one transaction, so that no row is missed or doubled. While a
 * copy is not verified, no hub starts on it: its table of migrations stands under another name. The source is only read. Where the
 * session with its lock is lost, the copy stops: a hub may have started there. What it wrote behind the copy is found at the end.
 */
export {};
