/** One run of one command: what it was told, and the means that every command shares. */
import { readFile } from 'node:fs/promises';
import { Client } from './api/client.js';
import { currentPath } from './api/contexts.js';
import { isOpenToOthers, loadCredentials } from './api/credentials.js';
import { checkedToken, nonEmpty, readUrls, targetOf } from './api/target.js';
import { NoAgent } from './fault.js';
import { Printer } from './output/printer.js';
import { spin, type Say } from './output/spinner.js';
import { SOFTWARE } from './software.js';
import type { Surroundings } from './surroundings.js';

/** Options that mean the same in every command that has them. */
type Everywhere = { json?: boolean; token?: string; watch?: number; follow?: boolean };

export class Invocation<O extends object> {
  readonly printer: Printer;
  /** What must not appear in any output of this run. */
  readonly secrets: string[] = [];

  constructor(
    readonly surroundings: Surroundings,
    readonly options: O & Everywhere,
  ) {
    const isOngoing = options.watch !== undefined || options.follow === true;
    this.printer = new Printer(surroundings, options.json === true, isOngoing);
    const { env } = surroundings;
    for (const secret of [options.token, env.FAIRLEAD_TOKEN, env.FAIRLEAD_JOIN_TOKEN]) this.hide(secret);
  }

  /** The hub that this command talks to. @throws NotLoggedIn, UsageFault, ConfigFault */
  async hub(): Promise<Client> {
    const { env } = this.surroundings;
    const path = await currentPath(env);
    const stored = await loadCredentials(path);
    this.hide(stored?.token);
    if (stored !== undefined && (await isOpenToOthers(path))) {
      this.printer.warn(`others on this machine can read ${path}; run: chmod 600 ${path}`);
    }
    return this.client(targetOf(this.options, env, stored));
  }

  /** The same as the agent asks it that this runs in. @throws NoAgent, UsageFault */
  async self(): Promise<Client> {
    const { env } = this.surroundings;
    const [url, path] = [nonEmpty(env.FAIRLEAD_AGENT_URL), nonEmpty(env.FAIRLEAD_AGENT_TOKEN_FILE)];
    if (url === undefined || path === undefined)
      throw new NoAgent('FAIRLEAD_AGENT_URL or FAIRLEAD_AGENT_TOKEN_FILE is not set.');
    const token = nonEmpty(await readFile(path, 'utf8').catch(() => undefined));
    if (token === undefined) throw new NoAgent(`There is no credential in ${path}.`);
    this.hide(token);
    return this.client({ urls: readUrls(url), token: checkedToken(token) });
  }

  client(target: Client['target']): Client {
    this.hide(target.token);
    return new Client(target, SOFTWARE, this.surroundings.clock);
  }

  hide(secret: string | undefined): void {
    if (secret !== undefined) this.secrets.push(secret.trim());
  }

  /** Does what may take long, with a sign of life for people. */
  async spin<T>(text: string, work: (say: Say) => Promise<T>): Promise<T> {
    return this.printer.isJson ? work(() => undefined) : spin(this.surroundings, text, work);
  }
}
