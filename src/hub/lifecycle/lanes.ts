import { Group } from './group.js';

const LANES = 2;

/**
 * Groups of the same work, of which another goes on where one is stuck: a statement whose answer does not come holds up
 * what went with it, and what waits for nothing else goes beside it.
 */
export class Lanes<I, O> {
  private readonly lanes: { group: Group<I, O>; begunAt: number }[];

  /** @param carry as of a `Group`, as are the others; two batches may be under way at once */
  constructor(carry: (items: I[]) => Promise<(O | Promise<O> | Error)[]>, most: number, restMs: number) {
    this.lanes = Array.from({ length: LANES }, () => {
      const lane = {
        begunAt: 0,
        group: new Group<I, O>(
          (items) => {
            lane.begunAt = performance.now();
            return carry(items);
          },
          most,
          restMs,
        ),
      };
      return lane;
    });
  }

  add(item: I): Promise<O> {
    const free = this.lanes.find(({ group }) => group.isFree);
    const { group } = free ?? this.lanes.reduce((one, other) => (other.begunAt > one.begunAt ? other : one));
    return group.add(item);
  }
}
