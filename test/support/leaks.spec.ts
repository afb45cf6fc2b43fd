import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks, takeStock, type Stock } from './leaks.js';

describe('the leak check', () => {
  let before: Stock;
  const soon = { withinMs: 60 };

  beforeEach(() => {
    before = takeStock();
  });

  it('passes where nothing is left', async () => {
    await expectNoLeaks(before, soon);
  });

  it('fires on a timer', async () => {
    const timer = setTimeout(() => undefined, 60_000);

    await expect(expectNoLeaks(before, soon)).rejects.toThrow('1 Timeout');

    clearTimeout(timer);
  });

  it('fires on a child process', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });

    await expect(expectNoLeaks(before, soon)).rejects.toThrow('1 ProcessWrap');

    child.kill();
    await once(child, 'exit');
  });

  it('fires on a server, and on a socket', async () => {
    const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await expect(expectNoLeaks(before, soon)).rejects.toThrow('1 TCPServerWrap');

    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    await expect(expectNoLeaks(before, soon)).rejects.toThrow('TCPSocketWrap');

    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('waits a moment for what is just closing', async () => {
    const timer = setTimeout(() => undefined, 60_000);
    setImmediate(() => setImmediate(() => clearTimeout(timer)));

    await expectNoLeaks(before);
  });

  afterAll(() => expectNoLeaks());
});
