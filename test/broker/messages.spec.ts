import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { Message, OpArgs, ProcessSpec } from '../../src/protocol/op.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { READS, messageOf } from './support/messages.js';
import { Runs } from './support/runs.js';

const inTime = () => true;
const tooLate = () => false;

const LARGEST = 'x'.repeat(64 * 1024);
/** More than any pipe holds, so that one message fills it. */
const FLOOD = 'x'.repeat(512 * 1024);

describe('messages to a run', () => {
  let before: Stock;
  let runs: Runs;

  beforeEach(() => {
    before = takeStock();
    runs = new Runs();
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await runs.close();
    await expectNoLeaks(before);
  });

  const witness = () => join(runs.folder, 'witness');
  const read = () => {
    const text = existsSync(witness()) ? readFileSync(witness(), 'utf8') : '';
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Message);
  };
  const texts = () => read().map(({ text }) => text);
  const arrived = (expected: string[]) =>
    eventually(() => (expect(texts()).toEqual(expected), true), { withinMs: 20_000 });
  const agent = (script = READS(witness()), spec: Partial<ProcessSpec> = {}) =>
    runs.order(script, { stdin: 'messages', ...spec });
  const send = (
    { agentId }: OpArgs['agent.start'],
    message: Message,
    mayBegin = inTime,
    given?: AbortSignal,
  ) => runs.runtime.message({ agentId, message }, mayBegin, given);
  const shimOf = (order: OpArgs['agent.start']) => runs.read<{ pid: number }>(order, 'shim.json').pid;
  const isHandedOver = (order: OpArgs['agent.start'], { id }: Message, standing = 'new') =>
    eventually(() => existsSync(join(runs.path(order), 'inbox', `${id}.${standing}`)));

  it('are read by its command as lines of JSON, each once and in order', async () => {
    const web = agent();
    await runs.start(web);
    const messages = ['one', 'two\nlines', 'drei – ✓'].map((text) => messageOf(text));

    const results = [];
    for (const message of messages) results.push(await send(web, message));

    await eventually(() => texts().length === 3);
    expect(read()).toEqual(messages);
    expect(results).toEqual(messages.map(() => ({ runId: web.runId })));
  });

  it('may be as large as 64 KiB', async () => {
    const web = agent();
    await runs.start(web);

    await send(web, messageOf(LARGEST));

    await arrived([LARGEST]);
  });

  it('are not given again to whoever repeats the command, in this life of the broker or the next', async () => {
    const web = agent();
    await runs.start(web);
    const message = messageOf('once');
    await send(web, message);

    await send(web, message);
    await runs.die();
    await send(web, message, tooLate);
    await send(web, messageOf('last'));

    await arrived(['once', 'last']);
  });

  it('that were handed over before the broker died are written without it, and told by the next one', async () => {
    const web = agent();
    await runs.start(web);
    process.kill(shimOf(web), 'SIGSTOP');
    const message = messageOf('without a broker');
    const interrupted = send(web, message).catch(() => undefined);
    await isHandedOver(web, message);

    await runs.die();
    process.kill(shimOf(web), 'SIGCONT');
    await eventually(() => texts().length === 1);
    const result = await send(web, message, tooLate);

    await interrupted;
    expect(result).toEqual({ runId: web.runId });
    expect(texts()).toEqual(['without a broker']);
  });

  it('go to the command that was started again', async () => {
    runs.waitBeforeRestarts(300);
    const web = agent(`head -n 1 >> '${witness()}'; exit 1`, {
      restart: { policy: 'always', maxRestarts: 100 },
    });
    await runs.start(web);

    await send(web, messageOf('to the first'));
    await eventually(() => existsSync(join(runs.path(web), 'restart.json')));
    await send(web, messageOf('to the second'));

    await arrived(['to the first', 'to the second']);
  });

  it('go to it also where they come with a crash, while others hold open what the command wrote to', async () => {
    runs.waitBeforeRestarts(300);
    const begun = join(runs.folder, 'begun');
    const first = `sleep 600 & : > '${begun}'; wait`;
    const web = agent(`if test -e '${begun}'; then ${READS(witness())}; fi; ${first}`, {
      restart: { policy: 'always', maxRestarts: 100 },
    });
    const pid = await runs.start(web);
    await eventually(() => existsSync(begun));
    const message = messageOf('to the second');
    process.kill(shimOf(web), 'SIGSTOP');
    process.kill(pid, 'SIGKILL');

    const sending = send(web, message);
    await isHandedOver(web, message);
    process.kill(shimOf(web), 'SIGCONT');

    expect(await sending).toEqual({ runId: web.runId });
    await arrived(['to the second']);
  });

  describe('that cannot be looked at for a while', () => {
    /** Handed over, and not looked at by anybody from then on. */
    const unseen = async () => {
      const web = agent();
      await runs.start(web);
      process.kill(shimOf(web), 'SIGSTOP');
      const message = messageOf('unseen');
      const sending = send(web, message);
      await isHandedOver(web, message);
      const inbox = join(runs.path(web), 'inbox');
      renameSync(inbox, `${inbox}.away`);
      await eventually(() => runs.log.lines.length > 0);
      const seen = () => {
        renameSync(`${inbox}.away`, inbox);
        process.kill(shimOf(web), 'SIGCONT');
      };
      return { sending, seen };
    };

    it('are told by what came of them', async () => {
      const { sending, seen } = await unseen();

      seen();

      expect(await sending).toMatchObject({ runId: expect.any(String) });
      await arrived(['unseen']);
      expect(runs.log.lines.splice(0)).toMatchObject([{ msg: expect.stringContaining('it is tried again') }]);
    });

    it('end with outcome_unknown where that takes too long: they may be written yet', async () => {
      const { sending, seen } = await unseen();
      const now = performance.now.bind(performance);
      jest.spyOn(performance, 'now').mockImplementation(() => now() + 31_000);

      await expect(sending).rejects.toMatchObject({ code: 'outcome_unknown' });

      seen();
      await arrived(['unseen']);
      runs.log.lines.length = 0;
    });
  });

  it('reach a command under limits as well', async () => {
    const web = agent(undefined, {
      limits: { ...runs.order('').spec.limits, openFiles: 64 },
    });
    await runs.start(web);

    await send(web, messageOf('limited'));

    await arrived(['limited']);
  });

  describe('fail', () => {
    it('with agent_not_running where the agent was never started, or has ended', async () => {
      const web = agent('read -r line; exit 0');
      const never = await send(web, messageOf('early')).catch((error: unknown) => error);
      await runs.start(web);
      await send(web, messageOf('its last'));
      await runs.ended(web);

      const late = await send(web, messageOf('late')).catch((error: unknown) => error);

      expect([never, late]).toMatchObject([{ code: 'agent_not_running' }, { code: 'agent_not_running' }]);
    });

    it('with agent_not_reading at once where the spec does not open its input, which ends where it begins', async () => {
      const web = runs.order(`cat; echo over >> '${witness()}'; exec sleep 600`);
      await runs.start(web);
      await eventually(() => existsSync(witness()));

      await expect(send(web, messageOf('unread'))).rejects.toMatchObject({ code: 'agent_not_reading' });
    });

    it('with agent_not_reading where the command has closed its input', async () => {
      const web = agent(`exec <&-; touch '${witness()}'; exec sleep 600`);
      await runs.start(web);
      await eventually(() => existsSync(witness()));

      await expect(send(web, messageOf('unread'))).rejects.toMatchObject({ code: 'agent_not_reading' });
    });

    it('in bounded time where the command does not read, and what was partly written arrives once it does', async () => {
      const web = agent(`while ! test -e '${witness()}.go'; do sleep 0.05; done; ${READS(witness())}`);
      await runs.start(web);
      const codes: unknown[] = [];
      for (const text of [FLOOD, 'second', 'third'])
        await send(web, messageOf(text)).catch(({ code }: { code: string }) => codes.push(code));

      writeFileSync(`${witness()}.go`, '');

      expect(codes).toEqual(['outcome_unknown', 'agent_not_reading', 'agent_not_reading']);
      await arrived([FLOOD]);
      await send(web, messageOf('read again'));
      await arrived([FLOOD, 'read again']);
    });

    it('with deadline_passed, and are not written later', async () => {
      const web = agent();
      await runs.start(web);

      await expect(send(web, messageOf('late'), tooLate)).rejects.toMatchObject({ code: 'deadline_passed' });

      await send(web, messageOf('next'));
      await arrived(['next']);
    });

    it('as cancelled while nobody has begun to write them, and are not written later', async () => {
      const web = agent();
      await runs.start(web);
      process.kill(shimOf(web), 'SIGSTOP');
      const message = messageOf('given up');
      const cancel = new AbortController();
      const sending = send(web, message, () => !cancel.signal.aborted, cancel.signal);
      await isHandedOver(web, message);

      cancel.abort();

      await expect(sending).rejects.toMatchObject({ code: 'cancelled' });
      process.kill(shimOf(web), 'SIGCONT');
      await send(web, messageOf('next'));
      await arrived(['next']);
    });

    it('with outcome_unknown where the shim died while it wrote them', async () => {
      const web = agent('exec sleep 600');
      await runs.start(web);
      const message = messageOf(FLOOD);
      const sending = send(web, message);
      await isHandedOver(web, message, 'begun');

      process.kill(shimOf(web), 'SIGKILL');

      await expect(sending).rejects.toMatchObject({ code: 'outcome_unknown' });
    });
  });

  it('are forgotten but for the latest, so that an inbox does not grow for ever', async () => {
    const web = agent();
    await runs.start(web);
    const inbox = join(runs.path(web), 'inbox');
    await send(web, messageOf('first'));
    for (let count = 0; count < 101; count += 1) {
      const id = uuidv7();
      writeFileSync(join(inbox, `${id}.written`), '');
    }

    const last = messageOf('last');
    await send(web, last);

    const names = readdirSync(inbox);
    expect(names).toContain(`${last.id}.written`);
    expect(names).toHaveLength(101);
  });
});
