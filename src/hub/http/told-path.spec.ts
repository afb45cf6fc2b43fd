import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { makeOpaque } from '../auth/opaque-token.js';
import { makeUserCode } from '../auth/user-code.js';
import { toldPath } from './told-path.js';

describe('what is told of an address', () => {
  it.each([
    '/',
    '/livez',
    '/api/v1/agents/web-1/messages',
    '/api/v1/brokers/0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33',
    '/.well-known/jwks.json',
    '/docs/swagger-ui-bundle.js',
    '//api//v1/',
    `/api/v1/agents/${'n'.repeat(63)}`,
  ])('is the path, as long as it has words, names and ids alone: %s', (path) => {
    expect(toldPath(path)).toBe(path);
  });

  it.each(['/api/v1/me?token=x', '/api/v1/me?', '/api/v1/me?a?b=/c'])('is nothing of a query: %s', (url) => {
    expect(toldPath(url)).toBe('/api/v1/me');
  });

  it.each<[string, () => string]>([
    ['a personal token', () => makeOpaque('personal').plain],
    ['a join token', () => makeOpaque('join').plain],
    ['a JWT', () => 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmVk'],
    ['a user code', () => makeUserCode().shown],
    ['a key of 32 bytes', () => randomBytes(32).toString('hex')],
    ['a key of 16 bytes', () => randomBytes(16).toString('hex')],
    ['what is longer than a name', () => 'n'.repeat(64)],
    ['an address of mail', () => 'ada@example.com'],
    ['what is encoded', () => 'a%20b'],
    ['two dots', () => '..'],
  ])('leaves out %s, wherever it stands', (_what, make) => {
    const [secret, other] = [make(), make()];

    expect(toldPath(`/api/v1/tokens/${secret}`)).toBe('/api/v1/tokens/[left out]');
    expect(toldPath(`/${secret}/agents/${other}?x=${secret}`)).toBe('/[left out]/agents/[left out]');
  });
});
