import type { Hello } from '../../protocol/frame.js';
import { hold, type Rule } from '../rule.js';
import { isSame } from './rules-commands.js';
import type { SeenLink } from './seen-link.js';
import type { BrokerStage } from './stage.js';

/** Of brokers that hold a second link ready, which none has to. */
export const STANDBY: readonly Rule<BrokerStage>[] = [
  {
    id: 'broker.standby',
    says: 'A link that it holds ready says so in its hello, and carries nothing while the first one serves.',
    where: 'standby_ok',
    check: (stage) =>
      stage.beside(async (standby, link) => {
        const [first, second] = [link.hello, standby.hello];
        hold(second?.standby === true, 'a hello with standby', second);
        hold(first?.standby !== true, 'none on the first link', first);
        const [is, was] = [second, first].map((hello) => [hello?.bootId, hello?.journalId]);
        hold(String(is) === String(was), `the same bootId and journalId: ${String(was)}`, is);
        const { result } = await stage.ended();
        hold(result.outcome === 'succeeded' && link.isOpen, 'the first link to serve as ever', result);
        const told = await standby.frames.within(() => true, stage.pace.quietMs);
        hold(told === undefined && standby.isOpen, 'nothing on the second link', told ?? 'it was ended');
      }),
  },
  {
    id: 'broker.promote',
    says: 'Where its link breaks it promotes the one that it holds ready, and tells its inventory there.',
    where: 'promote',
    check: (stage) =>
      stage.beside(async (standby, link) => {
        const { item, result } = await stage.ended();
        link.socket.terminate();
        await promoted(stage, standby, link.epoch);
        const { link: next, inventory } = await stage.nextLink('the link that was promoted');
        hold(next === standby, 'the link that was promoted', 'another');
        const entry = inventory.find(({ id }) => id === item.id);
        hold(entry?.status === 'ended', 'what was not confirmed in the inventory', entry ?? 'not in it');
        isSame(await next.result(item), result);
        next.send({ t: 'confirm', ids: [item.id] });
      }),
  },
  {
    id: 'broker.promote-refused',
    says: 'Where the link that it promotes is ended instead, by a replica that drains, it dials.',
    where: 'promote',
    check: (stage) =>
      stage.beside(async (standby, link) => {
        link.socket.terminate();
        await standby.next('promote', 'a promote on the link that is held ready');
        stage.hub.isHoldingStandbys = false;
        standby.socket.close(1001, 'going away');
        await stage.nextLink();
      }),
  },
];

/** Has the hub take the broker by the link that it promotes. */
async function promoted({ hub }: BrokerStage, standby: SeenLink, epoch: number): Promise<void> {
  const { lastEpoch } = await standby.next('promote', 'a promote on the link that is held ready');
  hold(lastEpoch === epoch, `lastEpoch ${epoch}`, lastEpoch);
  // It came before the link was taken for one that is held ready.
  hub.greet(standby, { ...(standby.hello as Hello), lastEpoch });
}
