import { describe, expect, it } from '@jest/globals';
import type { HubConfig } from '../../config/hub-config.js';
import { advertisedUrl } from './address.js';

type Given = Parameters<typeof advertisedUrl>[0];

const config = (changed: Partial<Given>): Given => ({
  advertiseAddress: null,
  advertiseUrl: null,
  database: { url: 'postgres://h/d', directUrl: null, pooler: 'none' },
  internalListen: { host: '0.0.0.0', port: 8091 },
  internalTls: null,
  ...changed,
});
const tls = (mode: 'accept' | 'require') => ({ mode }) as HubConfig['internalTls'];

describe('how the other replicas reach one', () => {
  it.each<[string, Partial<Given>, string]>([
    ['at the address that it was told', { advertiseAddress: '10.1.2.3' }, 'http://10.1.2.3:8091'],
    [
      'at one of IPv6, in brackets',
      { advertiseAddress: 'fd00::7', internalListen: { host: '::', port: 8091 } },
      'http://[fd00::7]:8091',
    ],
    [
      'over TLS, where the listener takes nothing else',
      { advertiseAddress: '10.1.2.3', internalTls: tls('require') },
      'https://10.1.2.3:8091',
    ],
    [
      'without TLS, as long as some of the others may speak none',
      { advertiseAddress: 'fd00::7', internalTls: tls('accept') },
      'http://[fd00::7]:8091',
    ],
    ['by the URL that it was told', { advertiseUrl: 'https://hub-0:81' }, 'https://hub-0:81'],
    [
      'on loopback, with a database of this machine',
      { database: { url: null, directUrl: null, pooler: 'none' } },
      'http://127.0.0.1:8091',
    ],
  ])('is %s', (_, changed, url) => {
    expect(advertisedUrl(config(changed), 8091)).toBe(url);
  });
});
