import pg from 'pg';

const PAYLOAD_ENTRIES = 150;
const COALESCE_MS = 2;

/**
 * Tells another process ids through NOTIFY, as Fairlead's own notifier does: on a connection of its own, without
 * waiting for the disk, many to a payload. The peers have no such thing; with it they are judged by their queues and
 * not by how their results would travel.
 */
export class Hints {
  #client;
  #channel;
  #gathered = [];
  #flight;

  static async open(url, channel) {
    const hints = new Hints();
    hints.#channel = channel;
    hints.#client = new pg.Client({ connectionString: url, options: '-c synchronous_commit=off' });
    await hints.#client.connect();
    return hints;
  }

  tell(id) {
    this.#gathered.push(id);
    this.#flight ??= this.#fly();
  }

  async close() {
    await this.#flight;
    await this.#client.end();
  }

  async #fly() {
    await null;
    while (this.#gathered.length > 0) {
      const payloads = [];
      while (this.#gathered.length > 0) payloads.push(this.#gathered.splice(0, PAYLOAD_ENTRIES).join(' '));
      await this.#client.query({
        name: 'tell',
        text: 'select pg_notify($1, payload) from unnest($2::text[]) as payload',
        values: [this.#channel, payloads],
      });
      await new Promise((resolve) => setTimeout(resolve, COALESCE_MS));
    }
    this.#flight = undefined;
  }
}

/** Hears what is told on a channel. @returns how to stop */
export async function listen(url, channel, onPayload) {
  const client = new pg.Client(url);
  await client.connect();
  client.on('notification', ({ payload = '' }) => onPayload(payload));
  await client.query(`listen ${channel}`);
  return () => client.end();
}

/** Those who wait in this process for a result that is told by its id; told before it is waited for, it is kept. */
export class Awaited {
  #waiting = new Map();
  #early = new Set();

  take(id) {
    const found = this.#waiting.get(id);
    if (found === undefined) this.#early.add(id);
    this.#waiting.delete(id);
    found?.();
  }

  ended(id) {
    if (this.#early.delete(id)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
