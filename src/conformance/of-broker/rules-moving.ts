import type { ResultItem } from '../../protocol/frame.js';
import { hold, type Rule } from '../rule.js';
import type { BrokerStage } from './stage.js';

export const MOVING: readonly Rule<BrokerStage>[] = [
  {
    id: 'broker.slot',
    says: 'When a replica leaves it waits for its slot, and dials while the old link serves.',
    where: 'going_away',
    check: async (stage) => {
      const left = await stage.link();
      const { slotMs, linkWithinMs } = stage.pace;
      const before = stage.lastUpgrade;
      const fromMs = performance.now();
      stage.leave(left, slotMs);
      const next = await stage.upgradeAfter(before, linkWithinMs);
      const afterMs = Math.round(performance.now() - fromMs);
      hold(next !== undefined, 'another link', 'none');
      hold(afterMs >= slotMs, `none within ${slotMs} ms`, `one after ${afterMs} ms`);
      hold(left.isOpen, 'the old link open until the new one is', 'it was ended');
      await stage.nextLink();
      left.socket.close(1001, 'going away');
    },
  },
  {
    id: 'broker.moved',
    says: 'Once the new link is welcomed it says goodbye on the old one.',
    where: 'going_away',
    check: async (stage) => {
      const left = await stage.link();
      stage.leave(left);
      await stage.nextLink();
      await left.next('goodbye', 'a goodbye on the old link');
      left.socket.close(1000, 'goodbye');
    },
  },
  {
    id: 'broker.newest-epoch',
    says: 'What is new on an older link is not begun.',
    where: 'Rules',
    check: async (stage) => {
      const left = await stage.link();
      stage.leave(left);
      const { link } = await stage.nextLink();
      const item = left.give();
      const [onOld, onNew] = await Promise.all([left.hears(item.id), link.hears(item.id)]);
      hold(onOld === undefined && onNew === undefined, 'nothing of the command', onOld ?? onNew);
      left.socket.close(1001, 'going away');
      // It is not lost either: the hub gives it out again.
      link.give({ ...item, attempt: 2 });
      await link.result({ ...item, attempt: 2 });
    },
  },
  {
    id: 'broker.any-link',
    says: 'A repeat of what it knows is answered on whichever of its links is open.',
    where: 'Rules',
    check: async (stage) => {
      const { link: left, item } = await stage.ended();
      stage.leave(left);
      const { link } = await stage.nextLink();
      left.give({ ...item, attempt: 5 });
      const isIt = (result: ResultItem) => result.id === item.id && result.attempt === 5;
      const told = await Promise.race(
        [left, link].map(({ results }) => results.within(isIt, stage.pace.withinMs)),
      );
      // Where it has ended the old link by then there was nothing to answer.
      hold(told !== undefined || !left.isOpen, 'an answer, or the end of the old link', 'neither');
      left.socket.close(1001, 'going away');
    },
  },
];
