import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

let found: string | undefined;

/** The name and version of this build, as brokers tell it to the hub; looked up once, since every hello says it. */
export function softwareName(): string {
  return (found ??= lookUp());
}

function lookUp(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const version = versionIn(folder);
    if (version !== undefined) return `fairlead/${version}`;
    if (folder === dirname(folder)) return 'fairlead/unknown';
  }
}

function versionIn(folder: string): string | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    return manifest.name === 'fairlead' && typeof manifest.version === 'string'
      ? manifest.version
      : undefined;
  } catch {
    return undefined;
  }
}
