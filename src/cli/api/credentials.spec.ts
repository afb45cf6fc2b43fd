import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  credentialsPath,
  forgetCredentials,
  isOpenToOthers,
  loadCredentials,
  storeCredentials,
} from './credentials.js';

describe('the stored credential', () => {
  const credentials = { url: 'http://a', token: 'flp_token' };
  let root: string;
  let path: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fairlead-credentials-'));
    path = credentialsPath({ HOME: root });
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('is in a folder and a file for their owner alone, with nothing beside it', async () => {
    await storeCredentials(path, credentials);

    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, '.fairlead')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(root, '.fairlead'))).toEqual(['credentials.json']);
    expect(await isOpenToOthers(path)).toBe(false);
  });

  it('is for its owner alone where the file before it was not', async () => {
    mkdirSync(join(root, '.fairlead'));
    writeFileSync(path, '{}', { mode: 0o644 });

    await storeCredentials(path, credentials);

    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await loadCredentials(path)).toEqual(credentials);
  });

  it('leaves a folder that was there as it is', async () => {
    const shared = join(root, 'shared');
    mkdirSync(shared, { mode: 0o755 });

    await storeCredentials(credentialsPath({ FAIRLEAD_HOME: shared }), credentials);

    expect(statSync(shared).mode & 0o777).toBe(0o755);
  });

  it('leaves nothing behind where it cannot be stored', async () => {
    mkdirSync(path, { recursive: true });

    await expect(storeCredentials(path, credentials)).rejects.toThrow();

    expect(readdirSync(join(root, '.fairlead'))).toEqual(['credentials.json']);
  });

  it('is nothing before a login and after a logout', async () => {
    expect(await loadCredentials(path)).toBeUndefined();
    expect(await forgetCredentials(path)).toBe(false);

    await storeCredentials(path, credentials);

    expect(await forgetCredentials(path)).toBe(true);
    expect(await loadCredentials(path)).toBeUndefined();
  });

  it.each(['', '[]', '{"url":"http://a"}', 'null'])('is refused when it is damaged: %j', async (content) => {
    await storeCredentials(path, credentials);
    writeFileSync(path, content);

    await expect(loadCredentials(path)).rejects.toThrow('is damaged');
  });
});
