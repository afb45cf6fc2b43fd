import { hkdfSync, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { readClusterSecret } from './cluster-secret.js';
import { ConfigError } from './config.error.js';
import { codeOf } from './error-code.js';
import type { HubConfig } from './hub-config.js';
import { readSealKeys } from './seal-keys.js';

/** Where a hub with the embedded database keeps the secrets that it made for itself. */
export function secretsDir(dataDir: string): string {
  return join(dataDir, 'secrets');
}

/**
 * A secret that is made at most once, whichever process comes first: every caller, in whatever process, gets the
 * same text. It is on the disk before it is given out, since what is sealed with a lost secret is lost too.
 *
 * @param dir made with mode 0700 where it is missing
 * @param make gives the text for a first time; it may be called and its text thrown away
 * @throws what the file system throws where the directory cannot be written
 */
export function secretOnce(dir: string, name: string, make: () => string): string {
  const path = join(dir, name);
  const present = readIfPresent(path);
  if (present !== undefined) return present;

  // Only the secrets' own directory is closed: PostgreSQL's user, who may be another, goes through those above.
  mkdirSync(dirname(dir), { recursive: true });
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}-${randomBytes(6).toString('hex')}`;
  writeDurably(draft, make());
  try {
    // A link appears with its whole content or not at all, and fails where another process was first.
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  syncDirectory(dir);
  return readFileSync(path, 'utf8').trim();
}

/**
 * The ring of seal keys, newest first: the configured one, or for the embedded default the one made once in the
 * data directory.
 *
 * @throws ConfigError where the file in the data directory does not hold a ring
 */
export function sealKeysOf(config: Pick<HubConfig, 'sealKeys' | 'dataDir'>): readonly Buffer[] {
  if (config.sealKeys !== null) return config.sealKeys;
  const ring = secretOnce(secretsDir(config.dataDir), 'seal-keys', () => randomBytes(32).toString('hex'));
  const read = readSealKeys(ring);
  if ('rule' in read) {
    throw new ConfigError([
      { variable: 'FAIRLEAD_DATA_DIR', rule: `its file secrets/seal-keys is damaged: ${read.rule}` },
    ]);
  }
  return read.keys;
}

/**
 * What cookies are sealed with, newest first: as configured, or else derived from the seal keys (RFC 5869), which all replicas
 * share already. Nothing that is known of a derived secret tells anything of its key.
 */
export function sessionSecretsOf(
  config: Pick<HubConfig, 'sessionSecrets' | 'sealKeys' | 'dataDir'>,
): readonly Buffer[] {
  if (config.sessionSecrets !== null) return config.sessionSecrets;
  return sealKeysOf(config).map((key) =>
    Buffer.from(hkdfSync('sha256', key, '', 'fairlead session secret', 32)),
  );
}

/**
 * What replicas sign with when they speak to each other, the current one first: as configured, or for the embedded
 * default the one made once in the data directory, where the other replicas of the machine find it.
 *
 * @throws ConfigError where the file in the data directory does not hold a secret
 */
export function clusterSecretsOf(
  config: Pick<HubConfig, 'clusterSecrets' | 'dataDir'>,
): readonly [Buffer, ...Buffer[]] {
  const [current, ...previous] = config.clusterSecrets ?? [];
  if (current !== undefined) return [current, ...previous];
  const text = secretOnce(secretsDir(config.dataDir), 'cluster-secret', () =>
    randomBytes(32).toString('hex'),
  );
  const read = readClusterSecret(text);
  if ('rule' in read) {
    throw new ConfigError([
      { variable: 'FAIRLEAD_DATA_DIR', rule: `its file secrets/cluster-secret is damaged: ${read.rule}` },
    ]);
  }
  return [read.secret];
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeFileSync(file, `${text}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(dir: string): void {
  const file = openSync(dir, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
