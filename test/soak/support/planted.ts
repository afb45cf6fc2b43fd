import { EFFECT_OP } from '../../../scripts/soak/effect-op.js';
import { judge, type Evidence, type Judgement } from '../../../scripts/soak/judge.js';
import type { Answer, Call, Doubt, Effect, Given, Silence } from '../../../scripts/soak/record.js';
import { trailLineOf } from '../../../scripts/soak/trail-line.js';
import { writeLines } from '../../../scripts/support/json-lines.js';
import type { TrailFacts } from '../../../src/hub/dispatch/record.js';
import { at, BROKER, dispatchOf, succeeded, UNKNOWN } from '../../support/history.js';

/** A clean run of four commands: three of one key in turn, and one that ended as unknown without an effect. */
export function run() {
  const own = (turn: number, given: Partial<TrailFacts> = {}) => ({
    op: EFFECT_OP,
    orderingKey: 'turn-1',
    idempotencyKey: `note-${turn}`,
    ...given,
  });
  const trails: TrailFacts[] = [
    succeeded(0, own(1)),
    succeeded(10, own(2)),
    succeeded(20, own(3)),
    dispatchOf(30, ['pending', 'claimed', 'running', 'failed'], own(4, { error: UNKNOWN })),
  ];
  const effects: Effect[] = [1, 2, 3].map((turn) => ({
    note: `note-${turn}`,
    brokerId: BROKER,
    orderingKey: 'turn-1',
    turn,
    at: at(turn * 10 - 8),
  }));
  const answers: Answer[] = trails.map(({ id, idempotencyKey }, place) => ({
    dispatchId: id,
    idempotencyKey: idempotencyKey ?? '',
    state: 'pending',
    submittedAt: at(place * 10),
    answeredAt: at(place * 10 + 0.5),
  }));
  const calls: Call[] = trails.map(({ idempotencyKey }, place) => ({
    idempotencyKey: idempotencyKey ?? '',
    dueMs: place * 10_000,
    acceptedMs: place * 10_000 + 500,
    endedMs: place * 10_000 + 3_500,
    waited: true,
    tries: 1,
    askedMs: Date.parse(at(place * 10)),
  }));
  // What nobody knows of was out when its broker lost what it knew.
  const losses = [{ brokerId: BROKER, at: at(31.5), until: at(32) }];
  const ways: Evidence['ways'] = { links: [], absences: [], ailments: [] };
  const [untrue, silences, doubts, given]: [Evidence['untrue'], Silence[], Doubt[], Given[]] = [
    [],
    [],
    [],
    [],
  ];
  return { trails, effects, answers, calls, given, untrue, losses, silences, doubts, ways, isWhole: true };
}
export type RunOf = ReturnType<typeof run>;

/** What a run comes to in which something was planted. @param folder where what it is judged by is written */
export async function judged(folder: string, change: (run: RunOf) => void): Promise<Judgement> {
  const planted = run();
  change(planted);
  const { trails, effects, ...others } = planted;
  writeLines(folder, 'trails.ndjson', trails);
  return judge(folder, trails.map(trailLineOf), { ...others, effects: [effects] });
}
