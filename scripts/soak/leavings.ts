import { rmSync } from 'node:fs';

/** What the runs of a search wrote down, which would fill the memory that it is in: only that of the least that failed alike stays. */
export class Leavings {
  private least: string | null = null;

  /** @param folder of a run that is over, where it is still there */
  sift(folder: string | null, isLeast: boolean): void {
    const gone = isLeast ? this.least : folder;
    if (isLeast) this.least = folder;
    if (gone !== null) rmSync(gone, { recursive: true, force: true });
  }
}
