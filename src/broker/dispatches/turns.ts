/**
 * Work in turns: of one key one piece after another, and in one room at most so many pieces at once. A room that is full
 * keeps nobody waiting in another.
 */

const AT_ONCE = 32;

/** Where a piece of work waits and runs: ops that the hub asks of any broker, and those of its owner's own. */
export type RoomName = 'hub' | 'own';

export class Turns {
  private readonly last = new Map<string, Promise<void>>();
  private readonly pieces = new Set<Promise<void>>();
  private readonly rooms: Readonly<Record<RoomName, Room>> = { hub: new Room(), own: new Room() };

  /**
   * @param key null for work that is ordered with nothing
   * @param ready what it waits for when its key's turn has come, before it takes up room
   */
  run(
    key: string | null,
    room: RoomName,
    work: () => Promise<void>,
    ready?: () => Promise<void>,
  ): Promise<void> {
    const before = key === null ? undefined : this.last.get(key);
    const piece = this.afterwards(before, this.rooms[room], work, ready);
    // What comes next of the key waits for the end of this piece, however it ends.
    const settled = piece.catch(() => undefined);
    this.pieces.add(settled);
    if (key !== null) this.last.set(key, settled);
    void settled.then(() => {
      this.pieces.delete(settled);
      if (key !== null && this.last.get(key) === settled) this.last.delete(key);
    });
    return piece;
  }

  async idle(): Promise<void> {
    while (this.pieces.size > 0) await Promise.all(this.pieces);
  }

  private async afterwards(
    before: Promise<void> | undefined,
    room: Room,
    work: () => Promise<void>,
    ready?: () => Promise<void>,
  ): Promise<void> {
    await before;
    if (ready !== undefined) await ready();
    await room.enter();
    try {
      await work();
    } finally {
      room.leave();
    }
  }
}

/** Lets so many in at once; the others in the order in which they came. */
class Room {
  private free = AT_ONCE;
  private readonly waiting: (() => void)[] = [];

  async enter(): Promise<void> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free += 1;
    else next();
  }
}
