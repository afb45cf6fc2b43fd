/** How far an attempt that is out is, by this process's clock: milliseconds since 1970. */
export type Way = {
  readonly id: string;
  readonly op: string;
  readonly lane: string;
  readonly attempt: number;
  /** The context that its spans belong under (W3C). */
  readonly parent: string;
  readonly claimedMs: number;
  sentMs?: number;
  /** When the broker said that it holds it. */
  heldMs?: number;
  answeredMs?: number;
};

/** More than a replica mostly has out. What is forgotten loses the beginnings of its spans, and nothing else. */
const MOST = 16_384;

/** The attempts that this replica put on the wire and that have not come to anything yet, the oldest first. */
export class Ways {
  private readonly byId = new Map<string, Way>();

  constructor(private readonly most: number = MOST) {}

  begin(way: Way): void {
    this.byId.delete(way.id);
    this.byId.set(way.id, way);
    if (this.byId.size <= this.most) return;
    const [oldest] = this.byId.keys();
    if (oldest !== undefined) this.byId.delete(oldest);
  }

  of(id: string, attempt: number): Way | undefined {
    const way = this.byId.get(id);
    return way?.attempt === attempt ? way : undefined;
  }

  end(id: string, attempt: number): Way | undefined {
    const way = this.of(id, attempt);
    this.byId.delete(id);
    return way;
  }
}
