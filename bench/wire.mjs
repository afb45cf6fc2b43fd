import { once } from 'node:events';
import { WebSocketServer } from 'ws';

/** The worker's end of the socket to the executor. What is handed over in one turn of the event loop travels together. */
export class Wire {
  #server;
  #socket;
  #answers = new Map();
  #ready = [];

  /** @returns the address to dial */
  async open() {
    this.#server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    this.#server.on('connection', (socket) => {
      this.#socket = socket;
      socket.on('message', (data) => {
        for (const { id, body } of JSON.parse(data.toString('utf8'))) {
          this.#answers.get(id)?.(body);
          this.#answers.delete(id);
        }
      });
    });
    await once(this.#server, 'listening');
    return `ws://127.0.0.1:${this.#server.address().port}`;
  }

  /** Has a job done. */
  call(id, args) {
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#ready.push({ id, args });
      if (this.#ready.length === 1)
        setImmediate(() => this.#socket.send(JSON.stringify(this.#ready.splice(0))));
    });
  }

  close() {
    this.#socket?.terminate();
    this.#server?.close();
  }
}
