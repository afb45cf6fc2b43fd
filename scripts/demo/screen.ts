const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

const dim = paint(2);
const green = paint(32);
const red = paint(31);
const bold = paint(1);

/** What the person who runs the demo sees; with `--json` it goes to standard error and leaves the other to the result. */
export class Screen {
  private readonly startedAt = performance.now();

  constructor(private readonly out: NodeJS.WritableStream) {}

  title(text: string): void {
    this.write(`\n${bold(text)}\n`);
  }

  step(name: string, ok: boolean, ms: number): void {
    const mark = ok ? green('ok') : red('FAILED');
    this.write(`${this.clock()}  ${mark}  ${name} ${dim(`(${Math.round(ms)} ms)`)}`);
  }

  note(text: string): void {
    for (const line of text.split('\n')) this.write(`${' '.repeat(13)}${dim(line)}`);
  }

  write(text: string): void {
    this.out.write(`${text}\n`);
  }

  private clock(): string {
    const seconds = (performance.now() - this.startedAt) / 1000;
    return dim(`${seconds.toFixed(1).padStart(6)} s`);
  }
}
