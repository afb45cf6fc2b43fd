import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lastLines, OutputWriter, type Rotation } from './output.js';

const AMPLE = 1_000_000;

describe('the output of a run', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-output-'));
    path = join(folder, 'output.log');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** From the oldest to the newest. */
  const files = () =>
    readdirSync(folder)
      .sort((one, other) => numberOf(other) - numberOf(one))
      .map((name) => readFileSync(join(folder, name)));
  const numberOf = (name: string) => Number(name.split('.')[2] ?? 0);
  const write = (chunks: readonly (string | Buffer)[], rotation: Rotation) => {
    const writer = new OutputWriter(path, rotation);
    for (const chunk of chunks) writer.write(Buffer.from(chunk));
    writer.close();
  };

  it('begins another file at a line end once one is full', () => {
    write(['12345678\n', 'abcdefgh\n', 'ABCDEFGH\n'], { bytes: 10, files: 3 });

    expect(files().map(String)).toEqual(['12345678\nabcdefgh\n', 'ABCDEFGH\n']);
  });

  it('keeps a line whole that comes in pieces', () => {
    write(['a line that is ', 'longer than ', 'its file\nnext\n'], { bytes: 20, files: 3 });

    expect(files().map(String)).toEqual(['a line that is longer than its file\n', 'next\n']);
  });

  it('cuts a line that never ends, so that no file grows without bound', () => {
    write(['x'.repeat(95)], { bytes: 10, files: 10 });

    expect(files().map(({ length }) => length)).toEqual([20, 20, 20, 20, 15]);
  });

  it('gives up the oldest file for a new one', () => {
    write(
      Array.from({ length: 10 }, (_, index) => `line ${index}\n`),
      { bytes: 7, files: 3 },
    );

    expect(files().map(String)).toEqual(['line 8\n', 'line 9\n', '']);
  });

  it('goes on in the file it finds', () => {
    write(['one\n'], { bytes: 100, files: 2 });
    write(['two\n'], { bytes: 100, files: 2 });

    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  });

  it('costs lines, and never the process, where the disk takes nothing', () => {
    symlinkSync('/dev/full', path);
    const writer = new OutputWriter(path);

    expect(() => writer.write(Buffer.from('a line\n'))).not.toThrow();
    expect(() => writer.write(Buffer.from('another\n'))).not.toThrow();

    writer.close();
  });

  it('keeps its older files, and what comes later, where somebody removes the newest', () => {
    const writer = new OutputWriter(path, { bytes: 7, files: 4 });
    for (const text of ['line 0\n', 'line 1\n']) writer.write(Buffer.from(text));
    rmSync(path);

    for (const text of ['line 2\n', 'line 3\n', 'line 4']) writer.write(Buffer.from(text));

    writer.close();
    expect(files().map(String)).toEqual(['line 0\n', 'line 1\n', 'line 3\n', 'line 4']);
  });

  it('gives up no file while another cannot be begun, and says how much was lost once it can', () => {
    const writer = new OutputWriter(path, { bytes: 50, files: 4 });
    const full = (text: string) => `${text.padEnd(49)}\n`;
    for (const text of ['line 0', 'line 1']) writer.write(Buffer.from(full(text)));
    rmSync(path);
    // A link to what is not there can be neither opened nor taken for a file.
    symlinkSync('missing/output.log', path);
    for (const text of ['line 2', 'line 3', 'line 4']) writer.write(Buffer.from(full(text)));
    rmSync(path);

    writer.write(Buffer.from('line 5'));

    writer.close();
    const noted = '[fairlead: 100 bytes could not be written]\nline 5';
    expect(files().map(String)).toEqual([full('line 0'), full('line 1'), noted]);
  });

  it('is for its owner alone', () => {
    write(['secret\n'], { bytes: 100, files: 2 });

    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('loses nothing, bounds every file and splits at line ends, however it was cut into chunks', () => {
    const line = fc.string({ maxLength: 30 }).map((text) => text.replaceAll('\n', ' '));
    const text = fc.array(line, { maxLength: 40 }).map((lines) => Buffer.from(`${lines.join('\n')}\n`));
    const cuts = fc.array(fc.nat(2_000), { maxLength: 20 });
    fc.assert(
      fc.property(text, cuts, fc.integer({ min: 10, max: 200 }), (whole, at, bytes) => {
        for (const name of readdirSync(folder)) rmSync(join(folder, name));
        const edges = [0, ...at.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
        const chunks = edges.slice(1).map((edge, index) => whole.subarray(edges[index], edge));

        write(chunks, { bytes, files: 10_000 });

        const parts = files();
        expect(Buffer.concat(parts).equals(whole)).toBe(true);
        expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(2 * bytes);
        const longest = Math.max(
          ...whole
            .toString()
            .split('\n')
            .map((each) => Buffer.byteLength(each) + 1),
        );
        if (longest > bytes) return;
        for (const part of parts.filter(({ length }) => length > 0)) expect(part.at(-1)).toBe(0x0a);
      }),
      { numRuns: 100 },
    );
  });

  describe('read from its end', () => {
    it('gives the last lines over all files', async () => {
      write(['1\n2\n', '3\n4\n', '5\n'], { bytes: 4, files: 5 });

      expect(await lastLines(path, 3, AMPLE)).toEqual({ lines: ['3', '4', '5'], truncated: false });
      expect(await lastLines(path, 100, AMPLE)).toEqual({
        lines: ['1', '2', '3', '4', '5'],
        truncated: false,
      });
    });

    it('gives a line that is not complete yet', async () => {
      write(['one\ntwo'], { bytes: 100, files: 2 });

      expect(await lastLines(path, 1, AMPLE)).toEqual({ lines: ['two'], truncated: false });
    });

    it('joins a line that was cut between files', async () => {
      write(['x'.repeat(15), `${'y'.repeat(10)}\n`], { bytes: 10, files: 5 });

      const { lines } = await lastLines(path, 5, AMPLE);

      expect(lines).toEqual(['x'.repeat(15) + 'y'.repeat(10)]);
    });

    it('says that there is more where the cap cut it, and begins at a whole line', async () => {
      write(['first line\nsecond line\nthird line\n'], { bytes: 1_000, files: 2 });

      expect(await lastLines(path, 10, 20)).toEqual({ lines: ['third line'], truncated: true });
    });

    it('is empty for a run that never wrote', async () => {
      expect(await lastLines(path, 10, AMPLE)).toEqual({ lines: [], truncated: false });
    });

    it('makes no more JSON than asked for, whatever was written', async () => {
      const bytes = fc.uint8Array({ maxLength: 3_000 });
      await fc.assert(
        fc.asyncProperty(bytes, fc.integer({ min: 10, max: 2_000 }), async (content, cap) => {
          for (const name of readdirSync(folder)) rmSync(join(folder, name));
          write([Buffer.from(content)], { bytes: 500, files: 4 });

          const { lines } = await lastLines(path, 10_000, cap);

          expect(Buffer.byteLength(JSON.stringify(lines))).toBeLessThanOrEqual(cap + 2);
        }),
        { numRuns: 50 },
      );
    });

    it('gives exactly the last lines of what was written', async () => {
      const plan = fc.array(fc.stringMatching(/^[a-z]{0,12}$/), { minLength: 1, maxLength: 60 });
      await fc.assert(
        fc.asyncProperty(plan, fc.integer({ min: 1, max: 70 }), async (lines, most) => {
          for (const name of readdirSync(folder)) rmSync(join(folder, name));
          write(
            lines.map((line) => `${line}\n`),
            { bytes: 20, files: 1_000 },
          );

          expect((await lastLines(path, most, AMPLE)).lines).toEqual(lines.slice(-most));
        }),
        { numRuns: 50 },
      );
    });
  });
});
