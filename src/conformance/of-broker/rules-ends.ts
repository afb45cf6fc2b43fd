import { setTimeout as delay } from 'node:timers/promises';
import { CLOSE_CODES, DISPLACED_BY } from '../../protocol/close-code.js';
import { hold, type Rule } from '../rule.js';
import type { Upgrade } from './played-hub.js';
import type { BrokerStage } from './stage.js';

const COMES_BACK = [
  CLOSE_CODES.goodbye,
  CLOSE_CODES.going_away,
  CLOSE_CODES.frame_too_large,
  CLOSE_CODES.protocol_error,
  CLOSE_CODES.timed_out,
  CLOSE_CODES.slow_consumer,
  CLOSE_CODES.registry_unavailable,
];
const SLOWLY = [CLOSE_CODES.revoked, CLOSE_CODES.version_refused];

export const ENDS: readonly Rule<BrokerStage>[] = [
  ...COMES_BACK.map((code): Rule<BrokerStage> => ({
    id: `broker.back-${code}`,
    says: `It connects again when its link ends with ${code}.`,
    where: 'Close codes',
    check: async (stage) => {
      (await stage.fresh()).socket.close(code, 'conformance');
      await stage.nextLink();
    },
  })),
  {
    id: 'broker.back-1006',
    says: 'It connects again when its link breaks without a code.',
    where: 'Close codes',
    check: async (stage) => {
      (await stage.fresh()).socket.terminate();
      await stage.nextLink();
    },
  },
  ...[401, 403, 404, 426].map((status): Rule<BrokerStage> => ({
    id: `broker.slowly-${status}`,
    says:
      status === 401
        ? 'It tries slowly where a new token does not help against 401.'
        : `It tries slowly, once a minute or two, when it is refused with ${status}.`,
    where: 'Reconnecting',
    check: async (stage) => {
      await stage.anew();
      const refusal = { status, code: 'refused' };
      // One new token is asked for at once.
      let last = await stage.refuse(refusal, ...(status === 401 ? [{ ...refusal }] : []));
      if (status === 401) last = (await stage.upgradeAfter(last, stage.pace.linkWithinMs))?.upgrade ?? last;
      await noneAfter(stage, last, 2);
      await stage.anew();
    },
  })),
  ...SLOWLY.map((code): Rule<BrokerStage> => ({
    id: `broker.slowly-${code}`,
    says: `It tries slowly, once a minute or two, when its link ends with ${code}.`,
    where: 'Close codes',
    check: async (stage) => {
      const { link } = await stage.anew();
      const last = stage.lastUpgrade;
      link.socket.close(code, 'conformance');
      await noneAfter(stage, last, 2);
      await stage.anew();
    },
  })),
  {
    id: 'broker.goodbye',
    says: 'It says goodbye when it is told to stop, and ends.',
    where: 'goodbye',
    check: async (stage) => {
      const { link } = await stage.anew();
      const said = link.next('goodbye', 'a goodbye');
      // Judged once the process is gone.
      said.catch(() => undefined);
      void said.then(
        () => link.socket.close(1000, 'goodbye'),
        () => undefined,
      );
      const ended = stage.process.end('SIGTERM').then(() => true);
      const { withinMs } = stage.pace;
      const hasEnded = await Promise.race([ended, delay(withinMs, false, { ref: false })]);
      hold(hasEnded, `the process to end within ${withinMs / 1_000} s`, 'it goes on');
      await said;
      stage.process.start();
      await stage.nextLink();
    },
  },
  {
    id: 'broker.lock',
    says: 'A second process on its folder is kept out.',
    where: 'Rules',
    check: async (stage) => {
      const { link } = await stage.anew();
      const last = stage.lastUpgrade;
      const end = stage.process.startAnother();
      try {
        await noneAfter(stage, last, 3);
      } finally {
        await end();
      }
      hold(link.isOpen, 'the link of the first to stay', 'it ended');
    },
  },
  {
    id: 'broker.copy',
    says: 'It stops for good when another instance with its credential is in use.',
    where: 'Close codes',
    check: async (stage) => {
      const { link } = await stage.anew();
      const last = stage.lastUpgrade;
      link.socket.close(CLOSE_CODES.displaced, DISPLACED_BY.another);
      await noneAfter(stage, last, 3);
      await stage.anew();
    },
  },
  {
    id: 'broker.frames',
    says: 'Every frame that it sent can be read as docs/asyncapi.json describes it.',
    where: 'Frames',
    check: async (stage) => {
      await stage.ended();
      const [fault] = stage.hub.faults;
      hold(fault === undefined, 'frames that can be read', fault);
    },
  },
];

/** @throws Broken where another upgrade is asked for, within so many times of what must not come is waited for */
async function noneAfter(stage: BrokerStage, last: Upgrade | undefined, times: number): Promise<void> {
  // The time counts from now, and not from an upgrade that may be long ago.
  const fromMs = performance.now();
  const next = await stage.upgradeAfter(last, times * stage.pace.quietMs);
  hold(next === undefined, 'no attempt', `one after ${Math.round(performance.now() - fromMs)} ms`);
}
