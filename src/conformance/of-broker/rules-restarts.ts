import { hold, type Rule } from '../rule.js';
import type { BrokerStage } from './stage.js';

export const RESTARTS: readonly Rule<BrokerStage>[] = [
  {
    id: 'broker.epoch-kept',
    says: 'The epoch of a welcome is on disk before the inventory is sent: it is known after a kill.',
    where: 'welcome',
    check: async (stage) => {
      const { link: before } = await stage.move();
      const { link } = await stage.anew();
      hold(link.hello?.lastEpoch === before.epoch, `lastEpoch ${before.epoch}`, link.hello?.lastEpoch);
    },
  },
  {
    id: 'broker.journal-kept',
    says: 'A new process has a bootId of its own, and the journalId of its journal.',
    where: 'hello',
    check: async (stage) => {
      const { hello: was } = await stage.link();
      const { link } = await stage.anew();
      const is = link.hello;
      hold(was?.bootId !== is?.bootId, 'another bootId', is?.bootId);
      hold(was?.journalId === is?.journalId, 'the same journalId', [was?.journalId, is?.journalId]);
    },
  },
  {
    id: 'broker.ack-kept',
    says: 'What it acked is in its journal: killed at the ack, it tells of it in the next inventory.',
    where: 'ack',
    check: async (stage) => {
      const link = await stage.link();
      const item = link.give();
      await link.acked(item);
      const { inventory } = await stage.anew();
      const entry = inventory.find(({ id }) => id === item.id);
      hold(entry !== undefined, 'the command in the inventory', 'not in it');
      (await stage.link()).send({ t: 'confirm', ids: [item.id] });
    },
  },
  {
    id: 'broker.result-kept',
    says: 'What it told as ended is in its journal: killed after the result, it tells the same again.',
    where: 'result',
    check: async (stage) => {
      const { item, result } = await stage.ended();
      const { link, inventory } = await stage.anew();
      const entry = inventory.find(({ id }) => id === item.id);
      hold(entry?.status === 'ended', 'the command in the inventory as ended', entry ?? 'not in it');
      const again = await link.result(item);
      hold(JSON.stringify(again) === JSON.stringify(result), 'the result that it told', again);
      link.send({ t: 'confirm', ids: [item.id] });
    },
  },
  {
    id: 'broker.once',
    says: 'What has ended is not done again by a later process of it.',
    where: 'Rules',
    check: async (stage) => {
      const { link: before, item, result } = await stage.ended();
      before.send({ t: 'confirm', ids: [item.id] });
      // It is answered after the confirm was taken.
      await stage.ended();
      const { link } = await stage.anew();
      link.give({ ...item, attempt: 2 });
      const again = await link.result({ ...item, attempt: 2 });
      const told = JSON.stringify({ ...result, attempt: 2 });
      hold(JSON.stringify(again) === told, `the result that it told: ${told}`, again);
    },
  },
  {
    id: 'broker.tombstone-kept',
    says: 'A cancelled id that was not known is not begun by a later process of it either.',
    where: 'cancel',
    check: async (stage) => {
      const link = await stage.link();
      const { item } = await stage.ended();
      const id = item.id.replace(/.{12}$/, '0123456789ab');
      link.send({ t: 'cancel', cancels: [{ id, attempt: 1 }] });
      await link.result({ id, attempt: 1 });
      const { link: next } = await stage.anew();
      const later = next.give({ id, attempt: 2 });
      const result = await next.result(later);
      hold(result.outcome === 'cancelled', 'cancelled', result);
    },
  },
];
