import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder with a few files in it, to show a gate a fault that the project does not have. */
export class Tree {
  readonly path = mkdtempSync(join(tmpdir(), 'fairlead-gate-'));

  constructor(files: Record<string, string>) {
    for (const [name, content] of Object.entries(files)) {
      const file = join(this.path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
