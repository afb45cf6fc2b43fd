import { Clone } from './clone.js';
import { faultOfCarrier } from './carried.js';
import { notRunByCi } from './ci-steps.js';
import type { Marker } from './marker.js';
import { commandsOf, type Block, type Page } from './page.js';
import { Shell } from './shell.js';

// Each is done in seconds; machines that have much else to do take longer.
const BLOCK_MS = 180_000;
const END_MS = 20_000;

type Kind<K extends Marker['kind']> = Extract<Marker, { kind: K }>;

/** A document, run from top to bottom as somebody would who follows it; the first fault ends it. */
export class Story {
  ran = 0;
  readonly notRun: string[] = [];
  private readonly staying: { block: Block; shell: Shell }[] = [];
  private current: Shell | undefined;
  private heard = '';

  private constructor(
    private readonly page: Page,
    private readonly clone: Clone,
  ) {}

  static async of(page: Page): Promise<Story> {
    return new Story(page, await Clone.make(commandsOf(page).map(({ text }) => text)));
  }

  /** @returns what is wrong, as `path:line: what`, with the end of the output */
  async tell(): Promise<string[]> {
    for (const block of commandsOf(this.page)) {
      const fault = this.passedOver(block) ?? (await this.run(block));
      if (typeof fault === 'string')
        return [`${this.page.path}:${block.line}: ${fault}`, ...(await this.end())];
    }
    return this.end();
  }

  /** Ends what still runs and puts everything away. @returns what could not be ended as a reader would */
  async end(): Promise<string[]> {
    const faults: string[] = [];
    await this.current?.interrupt(END_MS);
    for (const { block, shell } of this.staying.splice(0).reverse()) {
      if (await shell.interrupt(END_MS))
        faults.push(`${this.page.path}:${block.line}: Ctrl-C does not end it`);
    }
    for (const { pid, command } of this.clone.strays()) {
      faults.push(`${this.page.path}: still runs when the document is over: ${command}`);
      process.kill(pid, 'SIGKILL');
    }
    for (const name of this.clone.replaced) faults.push(`${this.page.path}: its commands replaced ${name}`);
    this.clone.remove();
    return faults;
  }

  /** @returns a fault, true where the block is not to be run, or undefined where it is */
  private passedOver(block: Block): string | true | undefined {
    const skip = marker(block, 'skip');
    const elsewhere = marker(block, 'elsewhere');
    const isRunByCi = marker(block, 'ci') !== undefined;
    if (skip === undefined && elsewhere === undefined && !isRunByCi) return undefined;
    const missing = isRunByCi ? notRunByCi(block.text) : [];
    if (missing.length > 0) return `no step of .ci/run runs ${missing.join(', ')}`;
    const fault = elsewhere === undefined ? undefined : faultOfCarrier(elsewhere.file, this.page.path, block);
    if (fault !== undefined) return fault;
    const reason = skip?.reason ?? (elsewhere === undefined ? 'a step of CI of its own' : elsewhere.file);
    this.notRun.push(`${this.page.path}:${block.line}: ${reason}`);
    return true;
  }

  private async run(block: Block): Promise<string | undefined> {
    const filled = this.fill(block);
    if ('missing' in filled) return `nothing before it says what ${filled.missing} is`;
    this.ran += 1;
    const shell = new Shell(this.clone.address(filled.text), { cwd: this.clone.folder, env: this.clone.env });
    this.current = shell;
    const fault = await this.follow(block, shell);
    this.current = undefined;
    this.heard += shell.output;
    return fault === undefined ? undefined : `${fault}\n${shell.tail}`;
  }

  private async follow(block: Block, shell: Shell): Promise<string | undefined> {
    const stays = marker(block, 'stays');
    const shows = block.markers.filter((each): each is Kind<'shows'> => each.kind === 'shows');
    if (stays !== undefined) {
      this.staying.push({ block, shell });
      for (const text of [stays.until, ...shows.map((each) => each.text)]) {
        if (!(await shell.says(text, BLOCK_MS))) return `it did not say “${text}”`;
      }
      return undefined;
    }
    if (!(await shell.ends(BLOCK_MS))) return `it has not ended after ${BLOCK_MS / 1000} s; does it stay?`;
    if (shell.code !== 0) return `ended with ${shell.code}`;
    // Inside of a substitution the shell goes on without it.
    if (shell.output.includes(': command not found')) return 'calls a command that is not there';
    const absent = shows.find(({ text }) => !shell.output.includes(text));
    return absent === undefined ? undefined : `it did not say “${absent.text}”`;
  }

  private fill({ text, markers }: Block): { text: string } | { missing: string } {
    const heard = this.heard + this.staying.map(({ shell }) => shell.output).join('');
    const rules = markers.filter((each): each is Kind<'fill'> => each.kind === 'fill');
    let missing: string | undefined;
    const filled = text
      .replace(/<[a-z][a-z-]*>/g, (name) => {
        const rule = rules.find((each) => each.name === name);
        const found = rule === undefined ? undefined : [...heard.matchAll(rule.from)].at(-1);
        missing ??= found === undefined ? name : undefined;
        return found?.[1] ?? found?.[0] ?? name;
      })
      .replace(/([\w-]*)\.\.\./g, (name, start: string) => {
        const found =
          start === '' ? undefined : [...heard.matchAll(new RegExp(`\\b${start}[\\w-]+`, 'g'))].at(-1);
        missing ??= found === undefined ? name : undefined;
        return found?.[0] ?? name;
      });
    return missing === undefined ? { text: filled } : { missing };
  }
}

function marker<K extends Marker['kind']>({ markers }: Block, kind: K): Kind<K> | undefined {
  return markers.find((each): each is Kind<K> => each.kind === kind);
}
