import { watch, type FSWatcher } from 'node:fs';
import type { ProcessLimits } from '../../protocol/op.js';
import { isOutput } from './output.js';
import type { RunExit, RunFolder } from './run-folder.js';

/** Looked at now and then also where the system tells of changes: it may tell of none. */
const LOOK_MS = 5_000;
const LOOK_OFTEN_MS = 1_000;

/** Time between SIGTERM and SIGKILL for a run that came to the end of what it may have. */
const LIMIT_GRACE_MS = 10_000;

/** Ends a run for good, whatever its command does and its policy says. */
export type FinalOrder = Pick<RunExit, 'detail'> & {
  reason: Extract<RunExit['reason'], 'stopped' | 'limit_exceeded'>;
  graceMs: number;
};

/** What may end a run from outside its command: being asked to stop, and the limits of the run as a whole. */
export class Orders {
  #given: FinalOrder | undefined;
  private readonly startedMs = performance.now();
  private readonly listeners = new Set<(order: FinalOrder) => void>();
  private readonly watcher: FSWatcher | undefined;
  private readonly looking: NodeJS.Timeout;
  private isClosed = false;

  constructor(
    private readonly folder: RunFolder,
    private readonly limits: Pick<ProcessLimits, 'wallSeconds' | 'outputMb'>,
  ) {
    this.watcher = this.watchIfPossible();
    const isTold = this.watcher !== undefined && limits.wallSeconds === null;
    // Wall time is looked at time and again: a timer overflows at 25 days, and limits may be a year.
    this.looking = setInterval(() => void this.look(), isTold ? LOOK_MS : LOOK_OFTEN_MS);
  }

  /** The first order stands. */
  get given(): FinalOrder | undefined {
    return this.#given;
  }

  /** @returns forgets the listener, which is called once, at once where an order is given already */
  onGiven(listener: (order: FinalOrder) => void): () => void {
    if (this.#given === undefined) this.listeners.add(listener);
    else listener(this.#given);
    return () => void this.listeners.delete(listener);
  }

  /** What cannot be read now is read at the next look; the command is not to lose its shim for that. */
  async look(): Promise<void> {
    try {
      const asked = await this.folder.stopOrder();
      if (asked !== undefined) this.give({ reason: 'stopped', detail: null, graceMs: asked.graceMs });
    } catch {
      // The disk may be readable again in a moment.
    }
    this.lookAtTheClock();
  }

  private lookAtTheClock(): void {
    const { wallSeconds } = this.limits;
    if (wallSeconds !== null && performance.now() - this.startedMs >= wallSeconds * 1_000)
      this.exceeded(`It ran for its limit of ${wallSeconds} s, wallSeconds.`);
  }

  /** @param bytes all that the run has written */
  wrote(bytes: number): void {
    const { outputMb } = this.limits;
    if (outputMb !== null && bytes > outputMb * 1024 * 1024)
      this.exceeded(`It wrote more than its limit of ${outputMb} MiB, outputMb.`);
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.looking);
    this.watcher?.close();
    this.listeners.clear();
  }

  private exceeded(detail: string): void {
    this.give({ reason: 'limit_exceeded', detail, graceMs: LIMIT_GRACE_MS });
  }

  private give(order: FinalOrder): void {
    if (this.#given !== undefined || this.isClosed) return;
    this.#given = order;
    for (const listener of this.listeners) listener(order);
    this.listeners.clear();
  }

  private watchIfPossible(): FSWatcher | undefined {
    try {
      return watch(this.folder.path, (_event, name) => {
        if (!isOutput(name)) void this.look();
      }).on('error', () => undefined);
    } catch {
      return undefined;
    }
  }
}
