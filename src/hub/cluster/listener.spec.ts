import { EventEmitter } from 'node:events';
import { expect, it } from '@jest/globals';
import type { DirectConnections } from '../database/direct-connections.js';
import type { LoopOptions } from '../lifecycle/loop.js';
import type { Loops } from '../lifecycle/loops.js';
import { Listener } from './listener.js';
import { channelOf, type Notifier } from './notifier.js';
import type { Replica } from './replica.js';

/** A listener whose loop turns when the test says, on a session that says what it was asked. */
function listening(replica: { id: string }) {
  const asked: string[] = [];
  const session = Object.assign(new EventEmitter(), {
    query: (text: string) => Promise.resolve(asked.push(text)),
  });
  let turn: () => Promise<void> = () => Promise.resolve();
  let lose: () => void = () => undefined;
  let woken = 0;
  const connection = {
    onLost: (listener: () => void) => (lose = listener),
    open: () => Promise.resolve(session),
    reset: () => Promise.resolve(lose()),
  };
  const connections = { canListen: true, make: () => connection };
  const notifier = {
    tellRaw: (_channel: string, payload: string) => session.emit('notification', { payload }),
  };
  const loops = {
    make: (options: LoopOptions) => {
      turn = () => options.turn(new AbortController().signal);
      return { start: () => undefined, wake: () => (woken += 1) };
    },
  };
  const listener = new Listener(
    connections as unknown as DirectConnections,
    notifier as unknown as Notifier,
    replica as Replica,
    loops as unknown as Loops,
  );
  listener.start({ onPayload: () => undefined, onResumed: () => undefined });
  return { listener, session, asked, turn: () => turn(), lose: () => lose(), woken: () => woken };
}

it('listens anew at once where what it heard on is lost, and in its turn where it did not hear', async () => {
  const { listener, turn, lose, woken } = listening({ id: 'own' });
  await turn();
  expect(listener.isHealthy).toBe(true);

  lose();
  lose();

  expect(listener.isHealthy).toBe(false);
  expect(woken()).toBe(1);
});

it('leaves the channel of an id that it no longer has', async () => {
  const replica = { id: 'first' };
  const { asked, turn } = listening(replica);
  await turn();
  replica.id = 'second';
  await turn();

  expect(asked).toEqual([
    `listen "${channelOf('first')}"`,
    `unlisten "${channelOf('first')}"`,
    `listen "${channelOf('second')}"`,
  ]);
});

it('takes no session on which nobody may listen, as on a standby', async () => {
  const { listener, session, turn, asked } = listening({ id: 'own' });
  session.query = () => Promise.reject(new Error('cannot execute LISTEN during recovery'));

  await expect(turn()).rejects.toThrow('during recovery');

  expect(listener.isHealthy).toBe(false);
  expect(listener.report().reconnects).toBe(0);
  expect(asked).toEqual([]);
});
