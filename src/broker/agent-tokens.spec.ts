import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { AgentReport, ReportedPhase } from '../protocol/frame.js';
import { AgentTokens, askForAgentToken, type RunOf } from './agent-tokens.js';
import { AgentTokenRefused, HubUnreachable } from './broker.errors.js';
import { HubRefused } from './hub-call.js';

const LIVES_S = 900;

/** Runs that are reported, a hub that answers as told, and time that the test lets pass. */
class Scene {
  readonly reports = new Map<string, AgentReport>();
  readonly asked: string[] = [];
  readonly kept: string[] = [];
  readonly refusals: Error[] = [];
  /** Of runs: what is answered each time, and where no file can be written. */
  readonly faults = new Map<string, Error>();
  readonly unwritable = new Set<string>();
  nowMs = 0;
  private readonly changes: (() => void)[] = [];
  readonly tokens = new AgentTokens(
    this.reports,
    ({ runId }) => this.answer(runId),
    ({ runId }, token) => this.keep(runId, token),
    { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs },
    () => 0.5,
    pino({ level: 'silent' }),
  );

  tell(phase: ReportedPhase, over: Partial<RunOf> = {}): AgentReport {
    const told = { agentId: uuidv7(), runId: uuidv7(), ...over };
    const report = { ...told, phase, exitCode: null, detail: null, restarts: 0 };
    this.reports.set(report.agentId, report);
    this.tokens.reported(report);
    return report;
  }

  /** Has whoever rests look again, as the next run that begins does. */
  wake(): void {
    this.tell('starting');
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.changes.push(resolve));
  }

  /** Long enough for whoever was woken to have looked, and to rest again. */
  async turns(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  private answer(runId: string) {
    this.asked.push(runId);
    this.changed();
    const refusal = this.refusals.shift() ?? this.faults.get(runId);
    if (refusal !== undefined) return Promise.reject(refusal);
    return Promise.resolve({ token: `of ${runId}`, expiresInS: LIVES_S });
  }

  private keep(runId: string, token: string): Promise<void> {
    if (this.unwritable.has(runId))
      return Promise.reject(new Error('EISDIR: illegal operation on a directory'));
    this.kept.push(token);
    this.changed();
    return Promise.resolve();
  }

  private changed(): void {
    for (const resolve of this.changes.splice(0)) setImmediate(resolve);
  }
}

async function within(body: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = new Scene();
  scene.tokens.start();
  try {
    await body(scene);
  } finally {
    await scene.tokens.stop();
  }
}

describe('the tokens of agents', () => {
  it('are kept for each run that goes on, as soon as it is told of, and for no other', () =>
    within(async (scene) => {
      scene.tell('stopped');
      const { runId } = scene.tell('starting');
      await scene.until(() => scene.kept.length === 1);

      expect(scene.kept).toEqual([`of ${runId}`]);
    }));

  it('are asked for once for a run that is told of again', () =>
    within(async (scene) => {
      const first = scene.tell('starting');
      await scene.until(() => scene.kept.length === 1);

      scene.tell('running', first);
      const { runId } = scene.tell('starting');
      await scene.until(() => scene.kept.length === 2);

      expect(scene.asked).toEqual([first.runId, runId]);
    }));

  it('are replaced by the middle of their lives, and not sooner', () =>
    within(async (scene) => {
      const first = scene.tell('running');
      await scene.until(() => scene.kept.length === 1);

      scene.nowMs = LIVES_S * 400;
      scene.wake();
      await scene.until(() => scene.kept.length === 2);
      const sooner = [...scene.asked];
      scene.nowMs = LIVES_S * 501;
      scene.wake();
      await scene.until(() => scene.kept.length === 4);

      expect(sooner.filter((runId) => runId === first.runId)).toHaveLength(1);
      expect(scene.asked.filter((runId) => runId === first.runId)).toHaveLength(2);
    }));

  it('are not asked for any more once the run is over, or another has followed', () =>
    within(async (scene) => {
      const over = scene.tell('running');
      const former = scene.tell('running');
      await scene.until(() => scene.kept.length === 2);

      scene.tell('failed', over);
      const next = scene.tell('starting', { agentId: former.agentId });
      scene.nowMs = LIVES_S * 900;
      scene.wake();
      await scene.until(() => scene.kept.length === 4);

      expect(scene.asked.slice(2)).toContain(next.runId);
      expect(scene.asked.slice(2)).not.toContain(over.runId);
      expect(scene.asked.slice(2)).not.toContain(former.runId);
    }));

  it.each([
    [400, 'request_invalid'],
    [404, 'not_found'],
    [409, 'agent_run_over'],
  ])('that are refused for one run by %d are kept for the others, and asked for later', (status, code) =>
    within(async (scene) => {
      scene.refusals.push(new AgentTokenRefused(code, status, 'no'));
      const refused = scene.tell('running');
      const other = scene.tell('running');
      await scene.until(() => scene.kept.length === 1);
      expect(scene.kept).toEqual([`of ${other.runId}`]);

      scene.nowMs = 60_000;
      scene.wake();
      await scene.until(() => scene.kept.length === 3);

      expect(scene.kept).toContain(`of ${refused.runId}`);
    }),
  );

  it('that cannot be written for one run are kept for the others, and asked for again no sooner than usual', () =>
    within(async (scene) => {
      const faulty = scene.tell('running');
      scene.unwritable.add(faulty.runId);
      const other = scene.tell('running');
      // Within the same round.
      await scene.turns();
      expect(scene.kept).toEqual([`of ${other.runId}`]);

      scene.nowMs = LIVES_S * 400;
      scene.wake();
      await scene.until(() => scene.kept.length === 2);
      const sooner = [...scene.asked];
      scene.unwritable.clear();
      scene.nowMs = LIVES_S * 501;
      scene.wake();
      await scene.until(() => scene.kept.includes(`of ${faulty.runId}`));

      expect(sooner.filter((runId) => runId === faulty.runId)).toHaveLength(1);
    }));

  it('are kept for the others where the hub fails at one run each time', () =>
    within(async (scene) => {
      const faulty = scene.tell('running');
      scene.faults.set(faulty.runId, new AgentTokenRefused('internal', 500, 'it fails'));
      const other = scene.tell('running');
      await scene.until(() => scene.asked.length === 1);
      expect(scene.asked).toEqual([faulty.runId]);

      const third = scene.tell('running');
      await scene.until(() => scene.kept.length === 2);

      expect(scene.kept).toEqual([`of ${other.runId}`, `of ${third.runId}`]);
    }));

  it('are not asked for before the time that a hub names which was asked too much, and then from where that was', () =>
    within(async (scene) => {
      const first = scene.tell('running');
      const limited = scene.tell('running');
      scene.faults.set(limited.runId, new AgentTokenRefused('rate_limited', 429, 'too much', 60_000));
      const third = scene.tell('running');
      await scene.until(() => scene.asked.length === 2);

      scene.faults.clear();
      const fourth = scene.tell('running');
      scene.nowMs = 59_999;
      await scene.turns();
      expect(scene.asked).toEqual([first.runId, limited.runId]);
      scene.nowMs = 60_000;
      const fifth = scene.tell('running');
      await scene.until(() => scene.kept.length === 5);

      const rest = [limited, third, fourth, fifth].map(({ runId }) => runId);
      expect(scene.asked).toEqual([first.runId, limited.runId, ...rest]);
    }));

  it('are not asked for without a pause where a limit names no time', () =>
    within(async (scene) => {
      const limited = scene.tell('running');
      scene.faults.set(limited.runId, new AgentTokenRefused('rate_limited', 429, 'too much', 0));
      await scene.until(() => scene.asked.length === 1);

      scene.nowMs = 1_999;
      scene.wake();
      await scene.turns();
      expect(scene.asked).toEqual([limited.runId]);
      scene.faults.clear();
      scene.nowMs = 2_000;
      scene.wake();
      await scene.until(() => scene.kept.length === 3);
    }));

  it('are not asked for run by run where no replica answers', () =>
    within(async (scene) => {
      scene.refusals.push(new HubUnreachable('away'));
      const first = scene.tell('running');
      scene.tell('running');
      await scene.until(() => scene.asked.length === 1);
      expect(scene.asked).toEqual([first.runId]);

      scene.wake();
      await scene.until(() => scene.kept.length === 3);

      expect(scene.asked).toHaveLength(4);
    }));

  it('end at once with their broker, also while one is asked for', async () => {
    const asked: AbortSignal[] = [];
    const report = { agentId: uuidv7(), runId: uuidv7(), phase: 'running' } as AgentReport;
    const tokens = new AgentTokens(
      new Map([[report.agentId, report]]),
      (_run, signal) => {
        asked.push(signal);
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(new Error('given up'))),
        );
      },
      () => Promise.resolve(),
      { wallMs: () => 0, monotonicMs: () => 0 },
      () => 0.5,
      pino({ level: 'silent' }),
    );
    tokens.start();

    await tokens.stop();
    await tokens.stop();

    expect(asked.map(({ aborted }) => aborted)).toEqual([true]);
  });
});

describe('asking for the token of an agent', () => {
  const RUN = { agentId: uuidv7(), runId: uuidv7() };
  const refused = (status: number, code: string, retryAfterMs: number | null = null) =>
    new HubRefused({ status, code, detail: code, retryAfterMs, hubTime: null });

  /** @param answers of the replicas in the order in which they are asked */
  function asking(...answers: (Error | string)[]) {
    const urls: string[] = [];
    let forgotten = 0;
    const credential = {
      mintFor: (url: string) => {
        const answer = answers[urls.push(url) - 1];
        return typeof answer === 'string'
          ? Promise.resolve({ token: answer, expiresInS: LIVES_S })
          : Promise.reject(answer ?? new Error('asked once too often'));
      },
      forget: () => void (forgotten += 1),
    };
    return { outcome: askForAgentToken(credential, ['a', 'b'], RUN), urls, forgotten: () => forgotten };
  }

  it.each([
    ['gives no answer', new HubUnreachable('away')],
    ['cannot serve', refused(503, 'database_unavailable')],
    ['knows nothing of it', refused(404, 'not_found')],
  ])('goes on at the next replica where one %s', async (_what, error) => {
    const { outcome, urls } = asking(error, 'shown');

    await expect(outcome).resolves.toEqual({ token: 'shown', expiresInS: LIVES_S });
    expect(urls).toEqual(['a', 'b']);
  });

  it('takes the word of one that says no', async () => {
    const { outcome, urls } = asking(refused(409, 'agent_run_over'));

    await expect(outcome).rejects.toMatchObject({ code: 'agent_run_over', status: 409 });
    expect(urls).toEqual(['a']);
  });

  it('says when a hub that was asked too much may be asked again, and asks no other replica', async () => {
    const { outcome, urls } = asking(refused(429, 'rate_limited', 7_000));

    await expect(outcome).rejects.toMatchObject({ code: 'rate_limited', status: 429, retryAfterMs: 7_000 });
    expect(urls).toEqual(['a']);
  });

  it('drops an access token that is not taken', async () => {
    const { outcome, forgotten } = asking(refused(401, 'credential_invalid'));

    await expect(outcome).rejects.toThrow(AgentTokenRefused);
    expect(forgotten()).toBe(1);
  });

  it('fails with the last word where none can', async () => {
    const { outcome } = asking(refused(503, 'draining'), new HubUnreachable('away'));

    await expect(outcome).rejects.toThrow(HubUnreachable);
  });
});
