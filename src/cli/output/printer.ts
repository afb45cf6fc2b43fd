/**
 * Where a command's words go. Data goes to stdout: one JSON document with `--json`, or one a line where the command
 * goes on, and lines for people otherwise.
 * Everything else goes to stderr, so that a pipe carries data alone.
 */
import type { Surroundings } from '../surroundings.js';
import { isColoured, painter, type Paint } from './colour.js';

export class Printer {
  readonly paint: Paint;
  readonly paintNote: Paint;

  constructor(
    private readonly surroundings: Pick<Surroundings, 'stdout' | 'stderr' | 'env'>,
    readonly isJson: boolean,
    /** Whether more than one document may come, so that each has to keep to its line. */
    private readonly isOngoing = false,
  ) {
    const { stdout, stderr, env } = surroundings;
    this.paint = painter(isColoured(stdout, env));
    this.paintNote = painter(isColoured(stderr, env));
  }

  /** What a command found: the document as it is with `--json`, or the lines that tell the same to people. */
  data(document: unknown, lines: () => readonly string[]): void {
    if (this.isJson) this.document(document);
    else this.lines(lines());
  }

  document(document: unknown): void {
    this.surroundings.stdout.write(`${JSON.stringify(document, null, this.isOngoing ? 0 : 2)}\n`);
  }

  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.surroundings.stdout.write(`${lines.join('\n')}\n`);
  }

  /** A word beside the data, for people only. */
  note(line: string): void {
    if (!this.isJson) this.surroundings.stderr.write(`${line}\n`);
  }

  /** What should not be overlooked, whoever reads the data. */
  warn(line: string): void {
    this.surroundings.stderr.write(`${this.paintNote('yellow', 'warning:')} ${line}\n`);
  }
}
