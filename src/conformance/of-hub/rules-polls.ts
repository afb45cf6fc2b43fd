import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CLOSE_CODES } from '../../protocol/close-code.js';
import type { BrokerFrame } from '../../protocol/frame.js';
import type { PollAnswer } from '../../protocol/poll.js';
import { hold, type Rule } from '../rule.js';
import { endsWith, refusedWith } from './expectations.js';
import { PolledLink } from './polled-link.js';
import type { HubStage } from './stage.js';

const BEAT: BrokerFrame = { t: 'heartbeat', health: 'online', load: null, running: 0 };

/** Of polls at one address; that any replica takes them is tried where that is a balancer's. */
export const POLLS: readonly Rule<HubStage>[] = (
  [
    {
      id: 'hub.poll',
      says: 'It welcomes over polls, under an epoch above every one before, and counts frames from 1.',
      check: async (stage) => {
        const link = await unwelcomed(stage);
        const { first, frames, received, closed } = await link.greet(stage.hello());
        const [welcome] = frames;
        hold(welcome?.t === 'welcome', 'a welcome', welcome ?? closed ?? 'nothing');
        if (welcome?.t !== 'welcome') return;
        const before = stage.lastEpoch;
        stage.lastEpoch = welcome.epoch;
        await link.leave();
        hold(welcome.epoch > before, `an epoch above ${before}`, welcome.epoch);
        hold(first === 1 && received === 1, 'hello and welcome to be number 1', { first, received });
      },
    },
    {
      id: 'hub.poll-again',
      says: 'It takes no number twice, and sends again what was not named as received.',
      check: async (stage) => {
        const link = await PolledLink.open(stage);
        const poll = link.pollWith(BEAT);
        const lost = await link.ask(poll);
        const again = await link.ask(poll);
        link.take(again);
        const next = await link.say(BEAT);
        await link.leave();
        hold(beatsIn(lost) === 1, 'an answer to the heartbeat', lost);
        const isSame = again.first === lost.first && again.received === lost.received;
        hold(isSame && beatsIn(again) === 1, `the same answer: ${JSON.stringify(lost)}`, again);
        hold(beatsIn(next) === 1, 'nothing again of what has arrived', next);
      },
    },
    {
      id: 'hub.poll-held',
      says: 'It holds a poll while there is nothing to answer, until the next one takes its place.',
      check: async (stage) => {
        const { quietMs, withinMs } = stage.pace;
        const link = await PolledLink.open(stage);
        const held = link.ask(link.pollWith(), quietMs + 2 * withinMs);
        const wasHeld = await Promise.race([held.then(() => false), delay(quietMs, true)]);
        const answers = await Promise.all([held, link.ask(link.pollWith(BEAT))]);
        for (const answer of answers) link.take(answer);
        await link.leave();
        hold(wasHeld, 'the poll to be held', 'an answer without a word');
        hold(answers.some(beatsIn), 'the answer to the heartbeat with one of the polls', answers);
      },
    },
    {
      id: 'hub.poll-proof',
      says: 'It takes a poll with a proof of its own, which names the connection, and refuses others with 401.',
      check: async (stage) => {
        const link = await PolledLink.open(stage);
        const poll = link.pollWith(BEAT);
        const shown = await link.shown();
        const sound = await link.post(poll, shown);
        const used = await link.post(poll, shown);
        const unnamed = await link.post(poll, await link.shown(null));
        await link.say(BEAT);
        await link.leave();
        hold(sound.status === 200, 'the poll to be answered with 200', sound.status);
        refusedWith(used, 401, 'credential_invalid');
        refusedWith(unnamed, 401, 'credential_invalid');
      },
    },
    {
      id: 'hub.poll-lost',
      says: 'It answers a poll of a connection that nobody holds with 409.',
      check: async (stage) => {
        const link = await unwelcomed(stage);
        link.connectionId = randomUUID();
        refusedWith(await link.post(link.pollWith(BEAT)), 409, 'connection_lost');
      },
    },
    {
      id: 'hub.poll-unreadable',
      says: 'It refuses a poll that it cannot read with 400.',
      check: async (stage) => {
        const link = await PolledLink.open(stage);
        const refused = await link.post({ ...link.pollWith(), first: 0 });
        await link.leave();
        refusedWith(refused, 400, 'request_invalid');
      },
    },
    {
      id: 'hub.poll-standby',
      says: 'It holds no standby link over polls: closed with 4400.',
      check: async (stage) => {
        const link = await unwelcomed(stage);
        const { closed } = await link.greet(stage.hello({ standby: true }));
        endsWith(closed ?? undefined, CLOSE_CODES.protocol_error);
      },
    },
    {
      id: 'hub.poll-goodbye',
      says: 'It tells the answer to a goodbye that the channel is closed with 1000.',
      check: async (stage) => {
        const { closed } = await (await PolledLink.open(stage)).leave();
        endsWith(closed ?? undefined, CLOSE_CODES.goodbye);
      },
    },
    {
      id: 'hub.poll-moved',
      says: 'It welcomes a WebSocket beside the polls under a newer epoch, and takes a goodbye by a poll then.',
      check: async (stage) => {
        const polled = await PolledLink.open(stage);
        const before = stage.lastEpoch;
        const link = await stage.connect();
        const { closed } = await polled.leave();
        link.beat();
        await link.next('heartbeat_ack');
        await stage.leave(link);
        hold(stage.lastEpoch > before, `an epoch above ${before}`, stage.lastEpoch);
        endsWith(closed ?? undefined, CLOSE_CODES.goodbye);
      },
    },
    {
      id: 'hub.poll-command',
      says: 'It sends a command over polls, and confirms its result once that is committed.',
      check: async (stage) => {
        const id = await stage.ask();
        const link = await PolledLink.open(stage);
        const { attempt, ...item } = await link.nextDispatch();
        hold(item.id === id, `the command ${id}`, item);
        await link.say(
          { t: 'ack', acks: [{ id, attempt }] },
          { t: 'result', results: [{ id, attempt, outcome: 'succeeded', body: { text: 'polled' } }] },
        );
        const { ids } = await link.next('confirm');
        const { state } = await stage.ended(id);
        await link.leave();
        hold(ids.includes(id), 'a confirm of the result', ids);
        hold(state === 'succeeded', 'it to be succeeded by the confirm', state);
      },
    },
  ] satisfies Omit<Rule<HubStage>, 'where'>[]
).map((rule) => ({ ...rule, where: 'Polling' }));

async function unwelcomed(stage: HubStage): Promise<PolledLink> {
  return new PolledLink(stage, await stage.accessToken());
}

function beatsIn({ frames }: PollAnswer): number {
  return frames.filter(({ t }) => t === 'heartbeat_ack').length;
}
