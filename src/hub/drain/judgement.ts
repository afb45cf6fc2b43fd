import { Injectable } from '@nestjs/common';
import type { TrailFacts } from '../dispatch/record.js';
import { Trails, type Span } from '../dispatch/trails.js';
import { Checker } from '../proof/checker.js';
import { isEffectUnknown } from '../proof/effects.js';
import { readFacts } from '../proof/facts.js';
import { faultsOf } from '../proof/fault.js';
import type { Violation } from '../proof/rule.js';
import { Stays } from '../registry/stays.js';
import type { Gap, RolloutReport } from './rollout-row.js';
import type { DueRollout } from './rollout.repository.js';

const PAGE = 2_000;
const COMMANDS_MOST = 100_000;
const GAPS_SHOWN = 1_000;
const UNKNOWN_SHOWN = 1_000;
const VIOLATIONS_SHOWN = 100;
/** From the end of the drain on, commands that go on are waited for no longer, and brokers that do not come back. */
const PATIENCE_S = 45;
const LET_GO = 'the replica has drained';

/** What became of the brokers and the commands of a replica that has drained, by stays and trails alone. */
@Injectable()
export class Judgement {
  constructor(
    private readonly stays: Stays,
    private readonly trails: Trails,
  ) {}

  /** @returns undefined while there is something left that is worth waiting for */
  async of({ replicaId, begunAt, endedAt, ageS }: DueRollout): Promise<RolloutReport | undefined> {
    const moves = await this.stays.movesFrom(replicaId, begunAt, endedAt);
    const span = {
      brokerIds: [...new Set(moves.map((move) => move.brokerId))],
      from: begunAt,
      until: endedAt,
    };
    const isAway = ({ isBack, endReason }: (typeof moves)[number]) => !isBack && !saidGoodbye(endReason);
    const isOver = async () => !moves.some(isAway) && !(await this.trails.hasLive(span));
    if (ageS < PATIENCE_S && !(await isOver())) return undefined;

    const back = moves.filter(({ isBack }) => isBack);
    const gaps = longestOfEach(moves.filter((move) => move.isBack || isAway(move)));
    return {
      ...(await this.proved(span)),
      moved: new Set(back.map(({ brokerId }) => brokerId)).size,
      letGo: moves.filter(({ endReason }) => endReason === LET_GO).length,
      left: moves.filter((move) => !move.isBack && saidGoodbye(move.endReason)).length,
      unowned: moves.filter(isAway).length,
      gapMs: spread(gaps.map(({ ms }) => ms)),
      gaps: gaps.slice(0, GAPS_SHOWN),
    };
  }

  private async proved(span: Span) {
    const checker = new Checker();
    const unknownIds: string[] = [];
    let isWhole = true;
    let count = 0;
    for (let after: string | null = null; ;) {
      const page: TrailFacts[] = await this.trails.alive(span, after, PAGE);
      for (const each of page) {
        const facts = readFacts(each, `the dispatch ${each.id}`);
        checker.take(facts);
        if (isEffectUnknown(facts) && unknownIds.length < UNKNOWN_SHOWN) unknownIds.push(facts.id);
      }
      count += page.length;
      after = page.at(-1)?.id ?? null;
      if (page.length < PAGE) break;
      isWhole = count < COMMANDS_MOST;
      if (!isWhole) break;
    }
    const stranded = await this.trails.stranded(span);
    const verdict = checker.finish();
    const { lost, duplicated, reordered, irregular } = faultsOf(verdict);
    const violations: Violation[] = [
      ...stranded.map(({ id, state }) => ({
        rule: 'settled' as const,
        dispatchId: id,
        seen: `it is ${state}, and nobody minds it`,
      })),
      ...verdict.violations,
    ];
    return {
      clean: violations.length === 0 && isWhole && verdict.clean,
      commands: verdict.dispatches,
      live: verdict.live,
      lost: lost + stranded.length,
      duplicated,
      reordered,
      irregular,
      unknown: verdict.unknown,
      unknownIds,
      violations: violations.slice(0, VIOLATIONS_SHOWN),
      isWhole,
    };
  }
}

/** A broker that is stopped says so, and is not expected back. */
function saidGoodbye(endReason: string | null): boolean {
  return endReason?.startsWith('goodbye') === true;
}

function longestOfEach(moves: readonly { brokerId: string; name: string; gapMs: number }[]): Gap[] {
  const longest = new Map<string, Gap>();
  for (const { brokerId: id, name, gapMs } of moves) {
    const ms = Math.round(gapMs);
    if (ms >= (longest.get(id)?.ms ?? -1)) longest.set(id, { broker: { id, name }, ms });
  }
  return [...longest.values()].sort((a, b) => b.ms - a.ms);
}

/** Of values in falling order. */
function spread(falling: readonly number[]): { p50: number; p99: number; max: number } {
  const at = (part: number) => falling[Math.floor(falling.length * (1 - part))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: falling[0] ?? 0 };
}
