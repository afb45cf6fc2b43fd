/**
 * What the agents of this broker show of themselves to the hub: a token of minutes for each run that goes on, in a file of the run that
 * is replaced long before it ends.
 *
 *     (a run begins) --asked for--> held --half of its life--> asked for again
 *                         \--refused--> asked for later, and later still
 *
 * No run waits for it: a hub that cannot be asked costs the token, and no start. What was held is good until it expires, whatever
 * becomes of the broker. No run keeps the others from theirs, whatever is wrong with it: agents write to the folders that these
 * files are in.
 */
import type { Logger } from 'pino';
import type { AgentReport } from '../protocol/frame.js';
import { AgentTokenRefused, HubUnreachable } from './broker.errors.js';
import type { Clocks } from './clocks.js';
import type { Credential, Granted } from './credential.js';
import { HubRefused } from './hub-call.js';
import { Rounds } from './rounds.js';

export type RunOf = Pick<AgentReport, 'agentId' | 'runId'>;

const AGAIN_AFTER_MS = 2_000;
const AGAIN_MOST_MS = 300_000;
/** With which the hub refuses one run, and says nothing of the others. */
const OF_RUN: ReadonlySet<number> = new Set([400, 404, 409]);

/**
 * Asks the replicas in turn: one that cannot serve, or knows nothing of this yet, says nothing of the others.
 *
 * @throws AgentTokenRefused, HubUnreachable
 */
export async function askForAgentToken(
  credential: Pick<Credential, 'mintFor' | 'forget'>,
  urls: readonly string[],
  { agentId, runId }: RunOf,
  signal?: AbortSignal,
): Promise<Granted> {
  let last: Error = new HubUnreachable('no address of a hub is known');
  for (const url of urls) {
    try {
      return await credential.mintFor(url, { agentId, runId }, signal);
    } catch (error) {
      if (error instanceof HubUnreachable) {
        last = error;
      } else if (error instanceof HubRefused) {
        const { code, status, detail, retryAfterMs } = error.refusal;
        last = new AgentTokenRefused(code, status, detail, retryAfterMs);
        // Of the broker's own access token: another one is got with the next try.
        if (status === 401) credential.forget();
        if (status < 500 && status !== 404) throw last;
      } else {
        throw error;
      }
    }
  }
  throw last;
}

type Held = { dueMs: number; refusals: number };

/** Keeps each run that goes on with a token. */
export class AgentTokens {
  private readonly held = new Map<string, Held>();
  private readonly rounds = new Rounds(
    (signal) => this.look(signal),
    (failed) => (failed === 0 ? this.untilDueMs() : this.laterMs(failed)),
  );
  /** The run that ended the last round. It may be at fault for that, so that the next one begins behind it. */
  private endedAt: string | undefined;
  /** Until then the hub, which this broker has asked too much, is not asked at all. */
  private silentUntilMs = 0;

  /** @param keep puts a token where its run finds it */
  constructor(
    private readonly reports: ReadonlyMap<string, AgentReport>,
    private readonly ask: (run: RunOf, signal: AbortSignal) => Promise<Granted>,
    private readonly keep: (run: RunOf, token: string) => Promise<void>,
    private readonly clocks: Clocks,
    private readonly random: () => number,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.rounds.start();
  }

  /** Idempotent, and safe if never started. */
  async stop(): Promise<void> {
    await this.rounds.stop();
  }

  /** Something was reported of a run: one that is new is given a token at once. */
  reported({ runId, phase }: AgentReport): void {
    if (!goesOn(phase) || this.held.has(runId)) return;
    this.rounds.wake();
  }

  /** @returns false where no replica can be asked: the others are not tried in vain */
  private async look(signal: AbortSignal): Promise<boolean> {
    if (this.clocks.monotonicMs() < this.silentUntilMs) return true;
    for (const { agentId, runId } of this.inTurn()) {
      const { dueMs, refusals } = this.held.get(runId) ?? { dueMs: 0, refusals: 0 };
      if (this.clocks.monotonicMs() < dueMs) continue;
      try {
        await this.renew({ agentId, runId }, signal);
      } catch (error) {
        if (signal.aborted) return true;
        const silentMs = silentMsOf(error);
        // That no replica is reached the connector says as well, and loudly; of limits the hub tells.
        const isKnown = error instanceof HubUnreachable || silentMs !== undefined || refusals > 0;
        const level = isKnown ? 'debug' : 'warn';
        this.log[level]({ agentId, runId, err: error }, 'an agent could not be given a credential yet');
        if (silentMs !== undefined) {
          this.silentUntilMs = this.clocks.monotonicMs() + silentMs;
          // Those before it have theirs: it is the next one to be asked for.
          this.held.set(runId, { dueMs: this.silentUntilMs, refusals });
          return true;
        }
        if (!isOfRun(error)) {
          this.endedAt = runId;
          return false;
        }
        const dueMs = this.clocks.monotonicMs() + this.laterMs(refusals + 1);
        this.held.set(runId, { dueMs, refusals: refusals + 1 });
      }
    }
    return true;
  }

  /** The runs that go on. What is known of others is forgotten. */
  private inTurn(): AgentReport[] {
    const live = [...this.reports.values()].filter(({ phase }) => goesOn(phase));
    const runIds = new Set(live.map(({ runId }) => runId));
    for (const runId of this.held.keys()) if (!runIds.has(runId)) this.held.delete(runId);
    const first = live.findIndex(({ runId }) => runId === this.endedAt) + 1;
    return [...live.slice(first), ...live.slice(0, first)];
  }

  private async renew(run: RunOf, signal: AbortSignal): Promise<void> {
    const { token, expiresInS } = await this.ask(run, signal);
    // A fleet of runs that began together does not ask together.
    const lastsMs = expiresInS * 1_000 * (0.4 + 0.2 * this.random());
    this.held.set(run.runId, { dueMs: this.clocks.monotonicMs() + lastsMs, refusals: 0 });
    try {
      await this.keep(run, token);
    } catch (error) {
      // Whatever the agent has put in the way costs this one, and no further one before its time.
      this.log.warn({ ...run, err: error }, 'the credential of an agent could not be written to its file');
    }
  }

  private laterMs(failed: number): number {
    return Math.min(AGAIN_MOST_MS, AGAIN_AFTER_MS * 2 ** Math.min(failed, 10)) * (0.5 + this.random() / 2);
  }

  /** The longest rest where there is no run: the next one ends it. */
  private untilDueMs(): number {
    const nowMs = this.clocks.monotonicMs();
    const dues = [...this.held.values()].map(({ dueMs }) => dueMs - nowMs);
    return Math.max(0, this.silentUntilMs - nowMs, Math.min(AGAIN_MOST_MS, ...dues));
  }
}

function goesOn(phase: AgentReport['phase']): boolean {
  return phase === 'starting' || phase === 'running';
}

/** How long the hub is to be left alone, where it says that this broker has asked too much. */
function silentMsOf(error: unknown): number | undefined {
  if (!(error instanceof AgentTokenRefused) || error.status !== 429) return undefined;
  return Math.max(AGAIN_AFTER_MS, error.retryAfterMs ?? 0);
}

function isOfRun(error: unknown): boolean {
  return error instanceof AgentTokenRefused && OF_RUN.has(error.status);
}
