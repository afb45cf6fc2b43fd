import { randomUUID } from 'node:crypto';
import { LIMITS } from '../../protocol/limits.js';
import { hold, type Rule } from '../rule.js';
import type { HubStage } from './stage.js';

export const COMMANDS: readonly Rule<HubStage>[] = [
  {
    id: 'hub.dispatch',
    says: 'It sends a command that was accepted, and confirms its result once that is committed.',
    where: 'dispatch',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.connect();
      const item = await link.nextDispatch('the command', id);
      hold(item.op === 'broker.ping' && item.remainingMs > 0, 'broker.ping, with time left', item);
      link.succeed(item, { text: 'done' });
      await link.confirmed(id);
      const { state, result } = await stage.ended(id);
      await stage.leave(link);
      hold(state === 'succeeded', 'it to be succeeded by the confirm', state);
      hold(JSON.stringify(result) === '{"text":"done"}', 'the body of the result', result);
    },
  },
  {
    id: 'hub.confirm-again',
    says: 'It confirms a result again that is told again.',
    where: 'confirm',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.connect();
      const item = await link.nextDispatch('the command', id);
      link.succeed(item);
      await link.confirmed(id);
      link.succeed(item);
      await link.confirmed(id);
      await stage.leave(link);
    },
  },
  {
    id: 'hub.inventory-first',
    says: 'It sends no command before the inventory was told.',
    where: 'inventory',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.dial();
      link.send(stage.hello());
      stage.lastEpoch = (await link.next('welcome')).epoch;
      const early = await link.dispatches.within(() => true, stage.pace.quietMs);
      link.send({ t: 'inventory', entries: [], last: true });
      link.succeed(await link.nextDispatch('the command', id));
      await link.confirmed(id);
      await stage.leave(link);
      hold(early === undefined, 'no command yet', early);
    },
  },
  {
    id: 'hub.retry',
    says: 'It does not confirm a failure that may pass, and sends the command again under a greater attempt.',
    where: 'result',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.connect();
      const { attempt } = await link.nextDispatch('the command', id);
      const error = { code: 'busy', message: 'Later.', retryable: true };
      link.send({ t: 'result', results: [{ id, attempt, outcome: 'failed', error }] });
      const again = await link.nextDispatch('the command again', id);
      const isConfirmed = link.frames.all.some(({ item: frame }) => frame.t === 'confirm');
      link.succeed(again);
      await link.confirmed(id);
      await stage.leave(link);
      hold(!isConfirmed, 'no confirm of what is tried again', 'one');
      hold(again.attempt > attempt, `an attempt above ${attempt}`, again.attempt);
    },
  },
  {
    id: 'hub.other-attempt',
    says: 'It takes a result for the attempt that was sent, and for no other.',
    where: 'Rules',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.connect();
      const item = await link.nextDispatch('the command', id);
      link.send({
        t: 'result',
        results: [{ id, attempt: item.attempt + 7, outcome: 'succeeded', body: 'another' }],
      });
      link.succeed(item, { text: 'this' });
      await link.confirmed(id);
      const { result } = await stage.ended(id);
      await stage.leave(link);
      hold(JSON.stringify(result) === '{"text":"this"}', 'the body of its own attempt', result);
    },
  },
  {
    id: 'hub.result-cap',
    says: 'It keeps a result that is too large as failed, result_too_large, without an end of the link.',
    where: 'Limits',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.connect();
      link.succeed(await link.nextDispatch('the command', id), { text: 'x'.repeat(LIMITS.resultBytes) });
      await link.confirmed(id);
      const { state, error } = await stage.ended(id);
      await stage.leave(link);
      const { code } = (error ?? {}) as { code?: unknown };
      hold(state === 'failed' && code === 'result_too_large', 'failed, result_too_large', { state, code });
    },
  },
  {
    id: 'hub.order',
    says: 'It sends commands of one key one after another, in the order in which they were accepted.',
    where: 'dispatch',
    check: async (stage) => {
      const ids = [await stage.ask('conformance'), await stage.ask('conformance')];
      const link = await stage.connect();
      const first = await link.nextDispatch();
      const early = await link.dispatches.within(() => true, stage.pace.quietMs);
      link.succeed(first);
      const second = early ?? (await link.nextDispatch());
      link.succeed(second);
      await link.confirmed(second.id);
      await stage.leave(link);
      hold(early === undefined, 'the second only after the first', early);
      hold(first.id === ids[0], 'the first one first', 'the second one');
    },
  },
  {
    id: 'hub.window',
    says: 'It sends no more commands than the window takes before an ack.',
    where: 'hello',
    check: async (stage) => {
      await stage.ask();
      await stage.ask();
      const link = await stage.connect({ window: 1 });
      const first = await link.nextDispatch();
      const early = await link.dispatches.within(() => true, stage.pace.quietMs);
      link.succeed(first);
      const second = early ?? (await link.nextDispatch());
      link.succeed(second);
      await link.confirmed(second.id);
      await stage.leave(link);
      hold(early === undefined, 'no second command before the ack', early);
    },
  },
  {
    id: 'hub.newest-link',
    says: 'It sends commands on the newest link alone.',
    where: 'Rules',
    check: async (stage) => {
      const older = await stage.connect();
      const newer = await stage.connect();
      const id = await stage.ask();
      const item = await newer.nextDispatch('the command on the newer link', id);
      newer.succeed(item);
      await newer.confirmed(id);
      const onOlder = older.dispatches.all.length;
      older.cut();
      await stage.leave(newer);
      hold(onOlder === 0, 'nothing on the older link', `${onOlder} commands`);
    },
  },
  {
    id: 'hub.sent-again',
    says: 'It sends again what was on its way when the link broke, and is not in the next inventory.',
    where: 'inventory',
    check: async (stage) => {
      const id = await stage.ask();
      const first = await stage.connect();
      await first.nextDispatch('the command', id);
      first.cut();
      const link = await stage.connect();
      link.succeed(await link.nextDispatch('the command again', id));
      await link.confirmed(id);
      await stage.leave(link);
    },
  },
  {
    id: 'hub.any-link',
    says: 'It takes a result on any link that is open.',
    where: 'Rules',
    check: async (stage) => {
      const id = await stage.ask();
      const older = await stage.connect();
      const item = await older.nextDispatch('the command', id);
      older.send({ t: 'ack', acks: [{ id, attempt: item.attempt }] });
      const newer = await stage.dial();
      newer.send(stage.hello());
      stage.lastEpoch = (await newer.next('welcome')).epoch;
      newer.send({
        t: 'inventory',
        entries: [{ id, attempt: item.attempt, status: 'running' }],
        last: true,
      });
      await newer.next('inventory_ok');
      older.succeed(item);
      await older.confirmed(id);
      const { state } = await stage.ended(id);
      older.cut();
      await stage.leave(newer);
      hold(state === 'succeeded', 'succeeded', state);
    },
  },
  {
    id: 'hub.cancel',
    says: 'It passes a cancel on, and takes the answer for the end.',
    where: 'cancel',
    check: async (stage) => {
      const id = await stage.ask();
      const link = await stage.connect();
      const { attempt } = await link.nextDispatch('the command', id);
      link.send({ t: 'ack', acks: [{ id, attempt }] });
      await stage.api('POST', `/api/v1/dispatches/${id}/cancel`);
      const { cancels } = await link.next('cancel');
      link.send({ t: 'result', results: [{ id, attempt, outcome: 'cancelled' }] });
      await link.confirmed(id);
      const { state } = await stage.ended(id);
      await stage.leave(link);
      hold(
        cancels.some((each) => each.id === id),
        'a cancel of the command',
        cancels,
      );
      hold(state === 'cancelled', 'cancelled', state);
    },
  },
  {
    id: 'hub.cancel-unknown',
    says: 'Of what it does not know it asks to stop what runs, and confirms what has ended.',
    where: 'inventory',
    check: async (stage) => {
      const [running, ended] = [randomUUID(), randomUUID()];
      const link = await stage.dial();
      link.send(stage.hello());
      stage.lastEpoch = (await link.next('welcome')).epoch;
      link.send({
        t: 'inventory',
        entries: [
          { id: running, attempt: 3, status: 'running' },
          { id: ended, attempt: 1, status: 'ended' },
        ],
        last: true,
      });
      await link.next('inventory_ok');
      await link.confirmed(ended);
      const { cancels } = await link.next('cancel');
      const isConfirmed = link.frames.all.some(
        ({ item: frame }) => frame.t === 'confirm' && frame.ids.includes(running),
      );
      link.send({ t: 'result', results: [{ id: running, attempt: 3, outcome: 'cancelled' }] });
      await link.confirmed(running);
      await stage.leave(link);
      hold(
        JSON.stringify(cancels) === JSON.stringify([{ id: running, attempt: 3 }]),
        'a cancel of what runs alone, under its attempt',
        cancels,
      );
      hold(!isConfirmed, 'no confirm of what runs', 'one');
    },
  },
];
