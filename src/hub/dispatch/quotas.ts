/** The projects of a batch, and how many live commands of each are known of; null for one that is to be counted. */
export type Estimates = { projectIds: string[]; known: (number | null)[] };

/** Projects that are remembered; all are counted anew where there are more. */
const REMEMBERED_MOST = 50_000;

type Drafted = { projectId: string | null };
type Stored = { seq: number | null; queued?: number | null; quota?: number | null };

/**
 * What this replica knows of the depths of projects, as `Depths` does for brokers: the last count, and what it has added
 * since. After a tenth of the quota it is counted anew. The quota itself is read by each statement, so that one that was
 * lowered holds at once; whether the estimate is near it is for the statement to judge.
 */
export class Quotas {
  private readonly known = new Map<string, { counted: number; added: number; quota: number }>();

  estimates(drafts: readonly Drafted[]): Estimates {
    const projectIds = [...new Set(drafts.flatMap(({ projectId }) => projectId ?? []))];
    const known = projectIds.map((projectId) => {
      const depth = this.known.get(projectId);
      if (depth === undefined || depth.added >= depth.quota / 10) return null;
      return depth.counted + depth.added;
    });
    return { projectIds, known };
  }

  /** Takes what a statement counted, and what it stored. */
  took(drafts: readonly Drafted[], rows: readonly Stored[]): void {
    if (this.known.size > REMEMBERED_MOST) this.known.clear();
    const each = rows.flatMap((row, place) => {
      const projectId = drafts[place]?.projectId ?? null;
      return projectId === null ? [] : [{ projectId, ...row }];
    });
    for (const { projectId, queued, quota } of each) {
      if (queued != null && quota != null) this.known.set(projectId, { counted: queued, added: 0, quota });
    }
    for (const { projectId, seq } of each) {
      const known = this.known.get(projectId);
      if (known !== undefined && seq !== null) known.added += 1;
    }
  }
}
