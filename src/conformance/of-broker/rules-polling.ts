import { createHash } from 'node:crypto';
import { isUuid } from '../../protocol/read.js';
import { POLL_PATH } from '../../protocol/version.js';
import { hold, type Rule } from '../rule.js';
import { PolledSocket } from './polled-socket.js';
import { openSigned } from './rules-opening.js';
import type { BrokerStage } from './stage.js';

/** Of brokers that poll where no WebSocket opens, which none has to. */
export const POLLING: readonly Rule<BrokerStage>[] = [
  {
    id: 'broker.poll',
    says: 'Where no WebSocket opens it says hello by a poll, and does over polls what it is asked for.',
    where: 'Polling',
    check: (stage) =>
      stage.walled(async (link, polls) => {
        const [first] = polls();
        const isFirst = first?.connectionId === null && first.first === 1 && first.received === 0;
        const isHello = first?.frames.length === 1 && (first.frames[0] as { t?: unknown }).t === 'hello';
        hold(isFirst && isHello, 'the hello alone in the first poll', first?.frames);
        const item = link.give();
        await link.acked(item);
        const result = await link.result(item);
        hold(result.outcome === 'succeeded', 'broker.ping to succeed', result);
      }),
  },
  {
    id: 'broker.poll-proof',
    says: 'It proves its key anew with each poll, for this poll and, after the first, this connection.',
    where: 'Polling',
    check: (stage) =>
      stage.walled(async (link, polls) => {
        await link.result(link.give());
        const ids = new Set<unknown>();
        for (const { headers, connectionId } of polls()) {
          const { authorization = '', dpop } = headers;
          const { claims, isSigned } = openSigned(dpop, stage.hub.joins[0]?.body);
          hold(isSigned, 'a proof by the key of the join', dpop);
          const { htm, htu, ath, jti, nonce } = claims;
          hold(htm === 'POST' && String(htu).endsWith(POLL_PATH), 'htm and htu of the poll', { htm, htu });
          const token = authorization.replace(/^DPoP /i, '');
          const hash = createHash('sha256').update(token).digest('base64url');
          hold(ath === hash, 'the hash of the access token as ath', ath);
          hold((nonce ?? null) === connectionId, 'the connectionId as nonce', { nonce, connectionId });
          hold(isUuid(jti) && !ids.has(jti), 'a jti that is a lower-case UUID, used once', jti);
          ids.add(jti);
        }
      }),
  },
  {
    id: 'broker.poll-again',
    says: 'It sends again, under the same numbers, what was lost with a poll.',
    where: 'Polling',
    check: (stage) =>
      stage.walled(async (link, polls) => {
        const { hub } = stage;
        const before = hub.faults.length;
        hub.polls.isLosing = true;
        const item = link.give();
        await link.acked(item);
        await link.result(item);
        const told = polls().filter(({ frames }) => frames.length > 0);
        const at = told.findIndex(({ wasLost }) => wasLost);
        const [lost, again] = told.slice(at);
        hold(again?.first === lost?.first, 'a poll from the same number on', [lost?.first, again?.first]);
        const fault = hub.faults[before];
        hold(fault === undefined, 'each number to be of one frame', fault);
      }),
  },
  {
    id: 'broker.poll-back',
    says: 'It moves to a WebSocket once one opens, and says goodbye by a poll.',
    where: 'Polling',
    isLong: true,
    check: (stage) =>
      stage.walled(async (link) => {
        stage.hub.isWalled = false;
        const { link: next } = await stage.nextLink('a WebSocket, since one opens again');
        hold(!((next.socket as unknown) instanceof PolledSocket), 'a WebSocket', 'another channel of polls');
        await link.next('goodbye', 'a goodbye by a poll');
        link.socket.close(1000, 'goodbye');
        await stage.ended();
      }),
  },
];
