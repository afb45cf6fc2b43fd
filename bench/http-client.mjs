import { connect } from 'node:net';

/**
 * One kept-alive HTTP/1.1 connection that asks one thing at a time: as little of the machine as a client can take, since
 * it shares its processors with what it measures.
 */
export class HttpConnection {
  #socket;
  #buffered = '';
  #waiting;

  static async open(url) {
    const { hostname, port } = new URL(url);
    const connection = new HttpConnection();
    const socket = (connection.#socket = connect({ host: hostname, port: Number(port), noDelay: true }));
    socket.setEncoding('latin1');
    socket.on('data', (text) => connection.#take(text));
    socket.on('close', () => connection.#waiting?.reject(new Error('the server closed the connection')));
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return connection;
  }

  /** Sends a whole request. @returns the status and the body, as latin1 */
  ask(request) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close() {
    this.#socket.destroy();
  }

  #take(text) {
    this.#buffered += text;
    const headEnd = this.#buffered.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#buffered.slice(0, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#buffered.length < headEnd + 4 + length) return;
    const body = this.#buffered.slice(headEnd + 4, headEnd + 4 + length);
    this.#buffered = this.#buffered.slice(headEnd + 4 + length);
    this.#waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

/** A POST as it goes over the wire. */
export function postRequest(url, path, body, headers = {}) {
  const text = JSON.stringify(body);
  const lines = Object.entries({
    host: new URL(url).host,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${text}`;
}
