import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../../support/leaks.js';
import { BOUNDARIES } from './boundaries.js';
import type { Fault } from './faults.js';
import { Stage } from './stage.js';
import { faultsOf } from './trail-law.js';

/**
 * Each of these faults at every boundary of a dispatch's life. No journal is lost in any of them, so none has a reason to end
 * as unknown: each command succeeds, its agent runs once for it, and whoever asked is told so. The trail says that
 * the fault struck where it was meant to.
 */
export const describeKillMatrix = (faults: readonly Fault[]): void =>
  describe('a command, when', () => {
    afterAll(async () => {
      // Connections that callers keep alive end a few seconds after their replica.
      await expectNoLeaks(undefined, { withinMs: 8_000 });
    });

    for (const fault of faults) {
      describe(fault.what, () => {
        let stage: Stage;

        beforeAll(async () => {
          stage = await Stage.open(fault);
          await stage.arrange();
          await fault.strike(stage);
        }, 240_000);

        afterAll(async () => {
          await stage.close();
        });

        for (const { when, verb, judged } of BOUNDARIES) {
          it(`${when}: it succeeds once, and its caller is told so`, async () => {
            const cell = stage.cell(when);
            const failure = stage.failures.get(cell);
            if (failure !== undefined) throw failure;

            const { ids, ...told } = await cell.told();
            const { row, others } = await cell.ended();

            expect(others).toEqual([]);
            expect(row).toMatchObject({ state: 'succeeded', error: null });
            expect(ids).toEqual([row.id]);
            expect(told).toMatchObject({ state: row.state, attempt: row.attempt, result: row.result });
            expect(cell.effects()).toHaveLength(1);
            expect(row.result).toMatchObject({ runId: cell.effects()[0] });
            expect(faultsOf(row.trail)).toEqual([]);
            expect(row.trail.filter((step) => stage.isForbidden(step))).toEqual([]);
            const reasons = row.trail.flatMap(({ reason }) => reason ?? []);
            const isJudged = fault.losesLinks === true && judged !== undefined;
            // What ends just when the broker is back may be told before its inventory is judged.
            if (verb === 'start' || reasons.length > 0) expect(reasons).toEqual(isJudged ? [judged] : []);
          }, 90_000);
        }
      });
    }
  });
