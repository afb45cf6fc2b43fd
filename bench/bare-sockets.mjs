/**
 * What nothing can be smaller than: a server of `ws` with the hub's own settings that keeps its sockets, pings them, and reads
 * what they say; or the other end of it. Which of both a process is, it is asked.
 */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';
import { answerParent } from './child.mjs';
import { memory } from './memory.mjs';

const PING_MS = 15_000;
const FRAME_BYTES = 1024 * 1024;
const DIALS_AT_ONCE = 32;
const sockets = new Set();
let read = 0;

answerParent({
  async listen() {
    const http = createServer();
    const server = new WebSocketServer({ noServer: true, maxPayload: FRAME_BYTES, perMessageDeflate: false });
    http.on('upgrade', (request, socket, head) =>
      server.handleUpgrade(request, socket, head, (upgraded) => {
        sockets.add(upgraded);
        upgraded.on('message', (data) => (read += data.length));
        upgraded.on('close', () => sockets.delete(upgraded));
        upgraded.on('error', () => undefined);
      }),
    );
    setInterval(() => sockets.forEach((socket) => socket.ping()), PING_MS);
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return `ws://127.0.0.1:${http.address().port}`;
  },

  async dial({ url, count }) {
    let begun = 0;
    const slot = async () => {
      while (begun < count) {
        begun += 1;
        const socket = new WebSocket(url, { perMessageDeflate: false });
        sockets.add(socket);
        socket.on('error', () => undefined);
        await once(socket, 'open');
        const beat = () =>
          socket.send(JSON.stringify({ t: 'heartbeat', health: 'online', load: null, running: 0 }));
        beat();
        setInterval(beat, PING_MS);
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, DIALS_AT_ONCE) }, slot));
  },
  memory,
  read: () => read,
  end: () => sockets.forEach((socket) => socket.terminate()),
});
