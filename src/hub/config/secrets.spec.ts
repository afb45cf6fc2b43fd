import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError } from './config.error.js';
import { clusterSecretsOf, secretOnce, sealKeysOf, secretsDir } from './secrets.js';

describe('a secret of the data directory', () => {
  let dataDir: string;

  beforeEach(() => {
    dataDir = join(mkdtempSync(join(tmpdir(), 'fairlead-secrets-')), 'data');
  });

  afterEach(() => rmSync(join(dataDir, '..'), { recursive: true, force: true }));

  it('is made once, for its owner alone', () => {
    const first = secretOnce(secretsDir(dataDir), 'word', () => 'one');
    const second = secretOnce(secretsDir(dataDir), 'word', () => 'two');

    expect([first, second]).toEqual(['one', 'one']);
    expect(statSync(secretsDir(dataDir)).mode & 0o777).toBe(0o700);
    expect(statSync(join(secretsDir(dataDir), 'word')).mode & 0o777).toBe(0o600);
  });

  it('is that of the other where another was faster', () => {
    const slower = secretOnce(secretsDir(dataDir), 'word', () => {
      secretOnce(secretsDir(dataDir), 'word', () => 'faster');
      return 'slower';
    });

    expect(slower).toBe('faster');
    expect(readdirSync(secretsDir(dataDir))).toEqual(['word']);
  });

  it('leaves the directories above open to the user that runs the database', () => {
    secretOnce(secretsDir(dataDir), 'word', () => 'one');

    expect(statSync(dataDir).mode & 0o777).toBe(0o777 & ~process.umask());
  });

  it('is a ring of one seal key, the same for every replica on the machine', () => {
    const [one, other] = [sealKeysOf({ sealKeys: null, dataDir }), sealKeysOf({ sealKeys: null, dataDir })];

    expect(one).toEqual(other);
    expect(one.map(({ length }) => length)).toEqual([32]);
  });

  it('is a cluster secret that the second replica on the machine finds', () => {
    const own = { clusterSecrets: null, dataDir };

    const [one, other] = [clusterSecretsOf(own), clusterSecretsOf(own)];

    expect(one).toEqual(other);
    expect(one.map(({ length }) => length)).toEqual([32]);
    expect(statSync(join(secretsDir(dataDir), 'cluster-secret')).mode & 0o777).toBe(0o600);
  });

  it('is no cluster secret where its file is damaged, and is not shown', () => {
    clusterSecretsOf({ clusterSecrets: null, dataDir });
    writeFileSync(join(secretsDir(dataDir), 'cluster-secret'), 'hunter2');

    expect(() => clusterSecretsOf({ clusterSecrets: null, dataDir })).toThrow(ConfigError);
    expect(() => clusterSecretsOf({ clusterSecrets: null, dataDir })).not.toThrow('hunter2');
  });

  it('is not made where seal keys are configured', () => {
    const configured = [Buffer.alloc(32, 7)];

    expect(sealKeysOf({ sealKeys: configured, dataDir })).toBe(configured);
    expect(() => readdirSync(dataDir)).toThrow('ENOENT');
  });

  it('is not replaced where its file is damaged, and not shown', () => {
    sealKeysOf({ sealKeys: null, dataDir });
    writeFileSync(join(secretsDir(dataDir), 'seal-keys'), 'hunter2');

    expect(() => sealKeysOf({ sealKeys: null, dataDir })).toThrow(ConfigError);
    expect(() => sealKeysOf({ sealKeys: null, dataDir })).not.toThrow('hunter2');
    expect(readFileSync(join(secretsDir(dataDir), 'seal-keys'), 'utf8')).toBe('hunter2');
  });
});
