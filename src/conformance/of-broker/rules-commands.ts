import { randomUUID } from 'node:crypto';
import type { ResultItem } from '../../protocol/frame.js';
import { hold, type Rule } from '../rule.js';
import { commandOf, resultOf } from './seen-link.js';
import type { BrokerStage } from './stage.js';

export const COMMANDS: readonly Rule<BrokerStage>[] = [
  {
    id: 'broker.ack',
    says: 'It acks a command under the attempt that it was given with, before its result.',
    where: 'ack',
    check: async (stage) => {
      const link = await stage.link();
      const item = link.give({ attempt: 3 });
      await link.result(item);
      const seen = link.frames.all.map(({ item: frame }) => frame);
      const ended = seen.findIndex((frame) => resultOf(frame, item.id) !== undefined);
      const acks = seen.slice(0, ended).flatMap((frame) => (frame.t === 'ack' ? frame.acks : []));
      const ack = acks.find(({ id }) => id === item.id);
      hold(ack?.attempt === 3, 'an ack of attempt 3 before the result', ack ?? 'none');
    },
  },
  {
    id: 'broker.ping-op',
    says: 'It has the op broker.ping, which answers with the time.',
    where: 'Ops',
    check: async (stage) => {
      const { result } = await stage.ended();
      const { time } = ((result as { body?: unknown }).body ?? {}) as { time?: unknown };
      hold(Number.isFinite(Date.parse(String(time))), 'a body with an RFC 3339 time', result);
    },
  },
  {
    id: 'broker.lists',
    says: 'It takes each command of a list.',
    where: 'Frames',
    check: async (stage) => {
      const link = await stage.link();
      const dispatches = [commandOf(), commandOf(), commandOf()];
      link.send({ t: 'dispatch', dispatches });
      for (const item of dispatches) {
        await link.acked(item);
        await link.result(item);
      }
    },
  },
  {
    id: 'broker.op-unknown',
    says: 'It answers an op that it does not know with a result failed, code op_unknown.',
    where: 'dispatch',
    check: async (stage) => {
      const link = await stage.link();
      const item = link.give({ op: 'x.conformance.unheard-of' });
      await link.acked(item);
      isFailed(await link.result(item), 'op_unknown');
    },
  },
  {
    id: 'broker.deadline',
    says: 'It does not begin a command whose time is over: failed, code deadline_passed.',
    where: 'dispatch',
    check: async (stage) => {
      const link = await stage.link();
      const item = link.give({ remainingMs: 0 });
      isFailed(await link.result(item), 'deadline_passed');
    },
  },
  {
    id: 'broker.repeat',
    says: 'It acks a command that it knows again, and answers it from the journal, without doing it again.',
    where: 'Rules',
    check: async (stage) => {
      const { link, item, result } = await stage.ended();
      link.give(item);
      await link.acked(item);
      await link.acked(item);
      isSame(await link.result(item), result);
    },
  },
  {
    id: 'broker.repeat-attempt',
    says: 'It acks and answers a repeat under the attempt that came now.',
    where: 'Rules',
    check: async (stage) => {
      const { link, item, result } = await stage.ended();
      const again = { ...item, attempt: 2 };
      link.give(again);
      await link.acked(again);
      isSame(await link.result(again), result);
    },
  },
  {
    id: 'broker.retold',
    says: 'What is not confirmed is in the inventory of the next link as ended, and its result is told there.',
    where: 'result',
    check: async (stage) => {
      const { item, result } = await stage.ended();
      const { link, inventory } = await stage.move();
      const entry = inventory.find(({ id }) => id === item.id);
      hold(entry?.status === 'ended', 'the command in the inventory as ended', entry ?? 'not in it');
      isSame(await link.result(item), result);
      link.send({ t: 'confirm', ids: [item.id] });
    },
  },
  {
    id: 'broker.confirmed',
    says: 'What is confirmed is in no inventory any more, and is not told again.',
    where: 'confirm',
    check: async (stage) => {
      const { link: first, item } = await stage.ended();
      first.send({ t: 'confirm', ids: [item.id] });
      const { link, inventory } = await stage.move();
      hold(!inventory.some(({ id }) => id === item.id), 'an inventory without it', 'it is in it');
      const again = await link.hears(item.id);
      hold(again === undefined, 'nothing of it', again);
    },
  },
  {
    id: 'broker.kept',
    says: 'It answers for what was confirmed from the journal, for a day, if the hub sends it again.',
    where: 'confirm',
    check: async (stage) => {
      const { link, item, result } = await stage.ended();
      link.send({ t: 'confirm', ids: [item.id] });
      const again = { ...item, attempt: 2 };
      link.give(again);
      isSame(await link.result(again), result);
    },
  },
  {
    id: 'broker.tombstone',
    says: 'A cancel of what it does not know is answered with cancelled, and keeps it from being begun later.',
    where: 'cancel',
    check: async (stage) => {
      const link = await stage.link();
      const id = randomUUID();
      link.send({ t: 'cancel', cancels: [{ id, attempt: 2 }] });
      const first = await link.result({ id, attempt: 2 });
      hold(first.outcome === 'cancelled', 'cancelled', first);
      const item = link.give({ id, attempt: 3 });
      const later = await link.result(item);
      hold(later.outcome === 'cancelled', 'cancelled, though the command came', later);
    },
  },
  {
    id: 'broker.cancel-ended',
    says: 'A cancel of what has ended is answered with how it ended, under the attempt of the cancel.',
    where: 'cancel',
    check: async (stage) => {
      const { link, item, result } = await stage.ended();
      link.send({ t: 'cancel', cancels: [{ id: item.id, attempt: 4 }] });
      isSame(await link.result({ id: item.id, attempt: 4 }), result);
    },
  },
  {
    id: 'broker.cancel-running',
    says: 'A cancel of what runs stops it: cancelled, or how it ended all the same.',
    where: 'cancel',
    check: async (stage) => {
      const link = await stage.link();
      const item = link.give(stage.slow);
      await link.acked(item);
      link.send({ t: 'cancel', cancels: [{ id: item.id, attempt: 1 }] });
      const result = await link.result(item);
      hold(result.outcome !== 'failed', 'cancelled or succeeded', result);
    },
  },
  {
    id: 'broker.order',
    says: 'It does commands of one key one after another, as they came.',
    where: 'dispatch',
    check: async (stage) => {
      const link = await stage.link();
      const key = randomUUID();
      const [slow, ping] = [link.give({ ...stage.slow, key }), link.give({ key })];
      await Promise.all([link.result(slow), link.result(ping)]);
      const first = link.results.all.find(({ item: { id } }) => id === slow.id || id === ping.id);
      hold(
        first?.item.id === slow.id,
        'the result of the first before that of the second',
        'the other way round',
      );
    },
  },
  {
    id: 'broker.beside',
    says: 'It takes frames while something that takes long goes on.',
    where: 'Rules',
    check: async (stage) => {
      const link = await stage.link();
      const [slow, ping] = [link.give(stage.slow), link.give()];
      await link.result(ping);
      const seen = link.results.all.find(({ item: { id } }) => id === slow.id);
      hold(seen === undefined, 'the ping to be answered first', 'it waited for the other command');
      await link.result(slow);
    },
  },
  {
    id: 'broker.lost-link',
    says: 'A lost link cancels nothing: what runs is in the next inventory as running, and ends.',
    where: 'Rules',
    check: async (stage) => {
      const first = await stage.link();
      const item = first.give(stage.slow);
      await first.acked(item);
      first.socket.terminate();
      const { link, inventory } = await stage.nextLink();
      const entry = inventory.find(({ id }) => id === item.id);
      hold(['running', 'ended'].includes(String(entry?.status)), 'running', entry ?? 'not in the inventory');
      const result = await link.result(item);
      hold(result.outcome === 'succeeded', 'it to succeed', result);
    },
  },
];

function isFailed(result: ResultItem, code: string): void {
  hold(result.outcome === 'failed' && result.error.code === code, `failed, ${code}`, result);
}

/** What was done again would bear another time. @throws Broken where it is another */
export function isSame(result: ResultItem, before: ResultItem): void {
  const [is, was] = [bodyOf(result), bodyOf(before)];
  hold(is === was, `the result that it had: ${was}`, is);
}

function bodyOf({ id: _id, attempt: _attempt, ...end }: ResultItem): string {
  return JSON.stringify(end);
}
