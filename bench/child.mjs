import { fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const living = new Set();

/**
 * A process of a benchmark. It answers what it is asked over the channel that it was forked with, and ends with that
 * channel, so that none outlives the one that started it, however that one ends.
 */
export class Child {
  #process;
  #asked = new Map();
  #last = 0;
  #exited;

  /**
   * @param {string} module file name relative to this folder
   * @param {{ profileDir?: string, env?: Record<string, string> }} options with a folder for profiles, the process
   *   writes there where its processor time went
   */
  constructor(module, { profileDir, env = {}, execArgv: more = [] } = {}) {
    const execArgv = ['--disable-warning=ExperimentalWarning', ...more];
    if (profileDir !== undefined) execArgv.push('--cpu-prof', `--cpu-prof-dir=${profileDir}`);
    this.#process = fork(fileURLToPath(new URL(module, import.meta.url)), [], {
      execArgv,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 2, 2, 'ipc'],
      serialization: 'advanced',
      // Ctrl-C in a terminal goes to the whole group: the processes end in their order instead.
      detached: true,
    });
    living.add(this);
    this.#exited = new Promise((resolve) => {
      this.#process.on('exit', (code, signal) => {
        living.delete(this);
        for (const { reject } of this.#asked.values()) {
          reject(new Error(`${module} ended with ${signal ?? code} before it answered`));
        }
        this.#asked.clear();
        resolve();
      });
    });
    this.#process.on('message', ({ turn, answer, fault }) => {
      const { resolve, reject } = this.#asked.get(turn) ?? {};
      this.#asked.delete(turn);
      if (fault === undefined) resolve?.(answer);
      else reject?.(new Error(`${module}: ${fault}`));
    });
  }

  /** The answer of the process to a question by its name. */
  ask(name, value) {
    return new Promise((resolve, reject) => {
      const turn = ++this.#last;
      this.#asked.set(turn, { resolve, reject });
      this.#process.send({ turn, name, value }, (error) => error && reject(error));
    });
  }

  async end() {
    if (this.#process.connected) this.#process.disconnect();
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 5_000);
    await this.#exited;
    late.close();
  }
}

export async function endAll() {
  await Promise.all([...living].map((child) => child.end()));
}

/**
 * The other end: answers questions until the process that forked this one lets go.
 *
 * @param {Record<string, (value: any) => unknown>} answers by the name of the question; `end` is called at last
 */
export function answerParent({ end, ...answers }) {
  process.on('message', async ({ turn, name, value }) => {
    try {
      const answer = await answers[name](value);
      if (process.connected) process.send({ turn, answer });
    } catch (error) {
      if (process.connected) process.send({ turn, fault: error.stack });
    }
  });
  process.on('disconnect', async () => {
    // An exit by itself, so that a profile is written; in time, so that nothing waits for a side that hangs.
    setTimeout(() => process.exit(1), 4_000).unref();
    await end?.();
    process.exit(0);
  });
}
