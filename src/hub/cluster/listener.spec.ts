import { EventEmitter } from 'node:events';
import { expect, it } from '@jest/globals';
import type pg from 'pg';
import type { DirectConnection } from '../database/direct.js';
import type { DirectConnections } from '../database/direct-connections.js';
import type { Loop, LoopOptions } from '../lifecycle/loop.js';
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
    onLost: (listener: (error: Error | undefined) => void) => void (lose = () => listener(undefined)),
    open: () => Promise.resolve(session as EventEmitter as pg.Client),
    reset: () => Promise.resolve(lose()),
  } as DirectConnection;
  const make = (_about: Parameters<DirectConnections['make']>[0]) => connection;
  const connections = { canListen: true, make } as DirectConnections;
  const notifier = {
    tellRaw: (_channel: string, payload: string) => void session.emit('notification', { payload }),
  } as Notifier;
  const loops = {
    make: (options: Omit<LoopOptions, 'onFault'>) => {
      turn = () => options.turn(new AbortController().signal);
      return { start: () => undefined, wake: () => void (woken += 1) } as Loop;
    },
  } as Loops;
  const listener = new Listener(connections, notifier, replica as Replica, loops);
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
