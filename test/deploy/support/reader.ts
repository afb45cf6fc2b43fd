import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../../support/eventually.js';

const BUSY = { withinMs: 120_000, everyMs: 50 };

/**
 * Somebody who follows a document in a shell that ends with the first command that fails: what is of his own stands in the place
 * of the document's, and a word that is left open, such as `flp_...`, is the last that was seen to begin so.
 */
export class Reader {
  /** All that was said to him. */
  heard = '';
  private readonly unused: Set<string>;
  private readonly staying: ChildProcess[] = [];

  /** @param own what he has in the place of what the document has */
  constructor(
    private readonly folder: string,
    private readonly env: Record<string, string>,
    private readonly own: Readonly<Record<string, string>>,
  ) {
    this.unused = new Set(Object.keys(own));
  }

  /** What he had something for, and the document does not have it: it has changed. */
  get missed(): string[] {
    return [...this.unused];
  }

  /** Runs them to their end. @param typed what he types @throws what was said, where one of them fails */
  async follow(commands: readonly string[], typed = ''): Promise<void> {
    const shell = this.begin(commands);
    shell.stdin?.end(typed);
    await once(shell, 'close');
    if (shell.exitCode !== 0)
      throw new Error(`${commands.join('\n')}\nended with ${shell.exitCode}:\n${this.heard}`);
  }

  /** Runs them, of which the last goes on, until this is said. */
  async stay(commands: readonly string[], until: string): Promise<void> {
    const before = this.heard.length;
    const shell = this.begin(commands);
    this.staying.push(shell);
    await eventually(() => {
      if (this.heard.includes(until, before)) return true;
      if (shell.exitCode === null) return false;
      throw new Error(`it ended with ${shell.exitCode}:\n${this.heard}`);
    }, BUSY);
  }

  /** Ends what goes on, the latest first. */
  async leave(): Promise<void> {
    for (const shell of this.staying.splice(0).reverse()) {
      if (shell.exitCode !== null || shell.signalCode !== null || shell.pid === undefined) continue;
      const closed = once(shell, 'close');
      // The shell may stand before what it has begun: both are of one group.
      process.kill(-shell.pid, 'SIGTERM');
      await closed;
    }
  }

  private begin(commands: readonly string[]): ChildProcess {
    const script = commands.map((command) => this.filled(command)).join('\n');
    const { folder: cwd, env } = this;
    const shell = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], { cwd, env, detached: true });
    for (const output of [shell.stdout, shell.stderr])
      output.on('data', (part: Buffer) => (this.heard += part.toString('utf8')));
    return shell;
  }

  private filled(command: string): string {
    let text = command;
    for (const [theirs, own] of Object.entries(this.own)) {
      if (!text.includes(theirs)) continue;
      this.unused.delete(theirs);
      text = text.replaceAll(theirs, own);
    }
    return text.replace(/\b(\w+_)\.\.\./g, (_word, start: string) => {
      const seen = [...this.heard.matchAll(new RegExp(`\\b${start}[\\w-]+`, 'g'))].at(-1)?.[0];
      if (seen === undefined) throw new Error(`nothing begins with ${start}:\n${this.heard}`);
      return seen;
    });
  }
}
