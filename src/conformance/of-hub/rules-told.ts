import { randomUUID } from 'node:crypto';
import type { Hello, InventoryEntry } from '../../protocol/frame.js';
import { hold, type Rule } from '../rule.js';
import type { HubStage } from './stage.js';

/** Of which the hub knows nothing, so that it may not be done again where nobody knows whether it was begun. */
const OWN_OP = 'x.conformance.note';

/** Of what others are told by the hub: how far a command is, what became of one that was lost, and who has left. */
export const TOLD: readonly Rule<HubStage>[] = [
  {
    id: 'hub.progress',
    says: 'It shows how far a command is, and leaves standing what is not said again.',
    where: 'progress',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.connect();
      const item = await link.nextDispatch('the command', id);
      const { attempt } = item;
      link.send({ t: 'ack', acks: [{ id, attempt }] });
      link.send({ t: 'progress', progress: [{ id, attempt, fraction: 0.25, note: 'a quarter' }] });
      const first = await progressOnce(stage, id, 0.25);
      link.send({ t: 'progress', progress: [{ id, attempt, fraction: 0.5, note: null }] });
      const second = await progressOnce(stage, id, 0.5);
      link.succeed(item);
      await link.confirmed(id);
      await stage.leave(link);
      hold(first.fraction === 0.25 && first.note === 'a quarter', '0.25, a quarter', first);
      hold(second.fraction === 0.5 && second.note === 'a quarter', '0.5, and still a quarter', second);
    },
  },
  {
    id: 'hub.lost',
    says: 'It ends a command that was begun and lost, and may not be done again, as failed, outcome_unknown.',
    where: 'inventory',
    check: (stage) =>
      endsUnknown(stage, ({ id, attempt }) => ({ entries: [{ id, attempt, status: 'lost' }] })),
  },
  {
    id: 'hub.other-journal',
    says: 'It ends what another journal may have begun, and may not be done again, as failed, outcome_unknown.',
    where: 'hello',
    check: (stage) => endsUnknown(stage, () => ({ hello: { journalId: randomUUID() }, entries: [] })),
  },
  {
    id: 'hub.goodbye-offline',
    says: 'It shows a broker as online that beats, and as offline from its goodbye on.',
    where: 'goodbye',
    check: async (stage) => {
      stage.needsApi();
      const link = await stage.connect();
      link.beat();
      const before = await stage.presence('online');
      await stage.leave(link);
      const after = await stage.presence('offline');
      hold(before === 'online', 'online', before);
      hold(after === 'offline', 'offline', after);
    },
  },
  {
    id: 'hub.silence',
    says: 'It shows a broker of which nothing is heard as degraded, then as unreachable, and as online when it is back.',
    where: 'heartbeat',
    isLong: true,
    check: async (stage) => {
      stage.needsApi();
      const { degradedWithinMs, unreachableWithinMs } = stage.pace;
      await stage.connect({}, [], { answersPings: false });
      const seen = [
        await stage.presence('degraded', degradedWithinMs),
        await stage.presence('unreachable', unreachableWithinMs),
      ];
      const link = await stage.connect();
      link.beat();
      seen.push(await stage.presence('online'));
      await stage.leave(link);
      hold(seen.join() === 'degraded,unreachable,online', 'degraded, unreachable, online', seen.join(', '));
    },
  },
];

type Progress = { fraction?: unknown; note?: unknown };
type Return = { hello?: Partial<Hello>; entries: InventoryEntry[] };

/** What is told of a command's progress, once that is so far or the time is over. */
async function progressOnce(stage: HubStage, id: string, fraction: number): Promise<Progress> {
  const of = (dispatch: Record<string, unknown>): Progress => dispatch.progress ?? {};
  return of(await stage.standing(id, (dispatch) => of(dispatch).fraction === fraction));
}

/** Begins a command, breaks the link, and comes back with what does not account for it. */
async function endsUnknown(
  stage: HubStage,
  comesBack: (begun: { id: string; attempt: number }) => Return,
): Promise<void> {
  stage.needsApi();
  const first = await stage.connect({ capabilities: [OWN_OP] });
  const id = await stage.ask(null, OWN_OP);
  const { attempt } = await first.nextDispatch('the command', id);
  first.send({ t: 'ack', acks: [{ id, attempt }] });
  // Answered after the ack was taken.
  first.beat();
  await first.next('heartbeat_ack');
  first.cut();
  const { hello, entries } = comesBack({ id, attempt });
  const link = await stage.connect(hello, entries);
  const { state, error } = await stage.ended(id);
  // Where it was sent again it is not to be sent to the next rule.
  const again = link.dispatches.all.find(({ item }) => item.id === id);
  if (again !== undefined) {
    link.succeed(again.item);
    await link.confirmed(id);
  }
  const { code } = (error ?? {}) as { code?: unknown };
  hold(state === 'failed' && code === 'outcome_unknown', 'failed, outcome_unknown', { state, code });
  // What the inventory tells of is to be forgotten by the broker as well.
  if (entries.length > 0) await link.confirmed(id);
  await stage.leave(link);
}
