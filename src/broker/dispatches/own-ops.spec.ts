import { describe, expect, it } from '@jest/globals';
import { LIMITS } from '../../protocol/limits.js';
import { OpFailure, OpInterrupted } from './op-failure.js';
import type { OpContext, OpHandler } from './ops.js';
import { ownOp, OwnOpRefused, OwnOps } from './own-ops.js';

const echo = (name: string) => ownOp(name, { handle: (args) => args });

describe("an op of one's own", () => {
  const stopping = new AbortController();
  const context = { stopping: stopping.signal } as OpContext;
  const double = ownOp('x.math.double', {
    read: ({ number }) => {
      if (typeof number !== 'number') throw new Error('number must be a number');
      return number;
    },
    handle: (number) => ({ is: number * 2 }),
  });

  it('is given its arguments as it reads them, and its body is the result', async () => {
    expect(await double.handler.handle({ number: 4 }, context)).toEqual({ is: 8 });
  });

  it('fails with args_invalid where it cannot read them', async () => {
    await expect(double.handler.handle({ number: '4' }, context)).rejects.toMatchObject({
      name: 'OpFailure',
      code: 'args_invalid',
      message: 'number must be a number',
      retryable: false,
    });
  });

  it('may say in its own words what is wrong with them', async () => {
    const { handler } = ownOp('x.math.half', {
      read: () => {
        throw new OpFailure('too_large', 'It is too large.', true);
      },
      handle: () => null,
    });

    await expect(handler.handle({}, context)).rejects.toMatchObject({ code: 'too_large', retryable: true });
  });

  it('that says nothing succeeded with null', async () => {
    const silent = ownOp('x.do.nothing', { handle: () => undefined as unknown as null });

    expect(await silent.handler.handle({}, context)).toBeNull();
  });

  it('is not done again after a crash unless it says that it may be', () => {
    const again = ownOp('x.do.again', { handle: () => null, isRecoverable: true });

    expect([echo('x.do.once').handler.isRecoverable, again.handler.isRecoverable]).toEqual([false, true]);
  });

  it('that never ends does not keep a broker from stopping', async () => {
    const endless = ownOp('x.do.forever', { handle: () => new Promise<never>(() => undefined) });
    const doing = endless.handler.handle({}, context);

    stopping.abort();

    await expect(doing).rejects.toThrow(OpInterrupted);
    await expect(endless.handler.handle({}, context)).rejects.toThrow(OpInterrupted);
  });

  it.each(['x', 'broker.reboot', 'report.build', 'x.Report', ''])('is not named %p', (name) => {
    expect(() => echo(name)).toThrow(OwnOpRefused);
  });
});

describe("a broker's own ops", () => {
  it('are handlers among its others, and known by name', () => {
    const handlers = new Map<string, OpHandler>();
    const ops = new OwnOps(handlers, [echo('x.b')]);

    ops.add(echo('x.a'));

    expect(ops.names).toEqual(['x.a', 'x.b']);
    expect([...handlers.keys()].sort()).toEqual(['x.a', 'x.b']);
  });

  it('have one name each', () => {
    const ops = new OwnOps(new Map(), [echo('x.a')]);

    expect(() => ops.add(echo('x.a'))).toThrow('there is an op x.a already');
  });

  it('are no more than the hub takes capabilities', () => {
    const ops = new OwnOps(new Map(), []);
    const all = () => {
      for (let count = 0; count <= LIMITS.capabilities; count += 1) ops.add(echo(`x.a${count}`));
    };

    expect(all).toThrow(OwnOpRefused);
    expect(ops.names).toHaveLength(120);
  });
});
