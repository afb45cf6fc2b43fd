import { CLOSE_CODES } from '../../protocol/close-code.js';
import { STANDBY_SUBPROTOCOL } from '../../protocol/version.js';
import { hold, type Rule } from '../rule.js';
import { endsWith } from './expectations.js';
import type { HubLink } from './hub-link.js';
import type { HubStage } from './stage.js';

/** Of second links, of which a hub of more than one replica behind one address may hold any at another. */
export const STANDBY: readonly Rule<HubStage>[] = [
  {
    id: 'hub.standby',
    says: 'It holds a standby link ready, and welcomes it under a greater epoch once it is promoted.',
    where: 'promote',
    check: async (stage) => {
      const link = await held(stage);
      link.send({ t: 'promote', lastEpoch: stage.lastEpoch, capabilities: [], health: 'online' });
      const { epoch } = await link.next('welcome');
      const before = stage.lastEpoch;
      stage.lastEpoch = epoch;
      await stage.leave(link);
      hold(epoch > before, `an epoch above ${before}`, epoch);
    },
  },
  {
    id: 'hub.standby-beside',
    says: 'It takes nothing from the first link for a standby link, which it holds ready, or ends with 1001.',
    where: 'standby_ok',
    check: async (stage) => {
      const link = await stage.dial();
      link.send(stage.hello());
      const { epoch, capabilitiesRevision } = await link.next('welcome');
      stage.lastEpoch = epoch;
      const standby = await dialled(stage);
      const answer = await standby.frames.within(() => true, stage.pace.withinMs);
      if (answer === undefined) endsWith(await standby.endsWithin(), CLOSE_CODES.going_away);
      // It is taken from the newest link alone.
      link.send({ t: 'capabilities', revision: capabilitiesRevision + 1, capabilities: [] });
      const taken = await link.next('capabilities_ack');
      standby.cut();
      await stage.leave(link);
      hold(answer === undefined || answer.t === 'standby_ok', 'standby_ok, or an end with 1001', answer);
      hold(taken.error === null, 'the first link to be the newest still', taken);
    },
  },
  {
    id: 'hub.standby-silent',
    says: 'It ends a standby link with 4400 for any frame but promote and goodbye.',
    where: 'standby_ok',
    check: async (stage) => {
      const link = await held(stage);
      link.beat();
      endsWith(await link.endsWithin(), CLOSE_CODES.protocol_error);
    },
  },
  {
    id: 'hub.standby-goodbye',
    says: 'It closes a standby link with 1000 after a goodbye.',
    where: 'standby_ok',
    check: async (stage) => {
      const link = await held(stage);
      link.send({ t: 'goodbye', reason: 'the rule is tried' });
      endsWith(await link.endsWithin(), CLOSE_CODES.goodbye);
    },
  },
];

async function dialled(stage: HubStage): Promise<HubLink> {
  const link = await stage.dial(STANDBY_SUBPROTOCOL);
  link.send(stage.hello({ standby: true }));
  return link;
}

async function held(stage: HubStage): Promise<HubLink> {
  const link = await dialled(stage);
  await link.next('standby_ok');
  return link;
}
