import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Authority } from '../../../scripts/support/certificates.js';
import { ConfigError } from './config.error.js';
import { readConfig } from './hub-config.js';
import { brokenPems, endOf, INTERNAL_TLS_NAME } from './internal-tls.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const [CERT, KEY, CA] = ['CERT', 'KEY', 'CA'].map((part) => `FAIRLEAD_INTERNAL_TLS_${part}`) as [
  string,
  string,
  string,
];

describe('what replicas show each other', () => {
  const authority = new Authority();
  const good = authority.sign();

  it('is taken where the authority has signed it, also by way of one below', () => {
    expect(brokenPems(good)).toEqual([]);
    expect(brokenPems(authority.below().sign())).toEqual([]);
    expect(brokenPems({ ...good, ca: new Authority().ca + good.ca })).toEqual([]);
  });

  it('is good for a replica whether it names both uses or none', () => {
    expect(brokenPems(authority.sign({ uses: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] }))).toEqual([]);
  });

  it('has an end', () => {
    const left = endOf(authority.sign({ untilMs: DAY_MS })).getTime() - Date.now();

    expect(left).toBeGreaterThan(DAY_MS - HOUR_MS);
    expect(left).toBeLessThanOrEqual(DAY_MS);
  });

  it.each([
    ['no PEM at all', { ...good, cert: 'nothing' }, 'cert', 'must be a certificate in PEM'],
    [
      'a damaged certificate',
      { ...good, cert: good.cert.replace('MII', 'AAA').replace(/[A-Z]{2}/g, 'x') },
      'cert',
      'must be a certificate in PEM',
    ],
    [
      'a key that is none',
      { ...good, key: good.cert },
      'key',
      'must be a private key in PEM, without a passphrase',
    ],
    ['the key of another', { ...good, key: authority.sign().key }, 'key', 'must be that of the certificate'],
    [
      'an authority that is none',
      { ...good, ca: good.cert },
      'ca',
      'must be certificates of authorities in PEM',
    ],
    [
      'another authority',
      { ...good, ca: new Authority().ca },
      'cert',
      'must be signed by one of the authorities',
    ],
    ['one that has ended', authority.sign({ untilMs: -1_000 }), 'cert', 'has expired'],
    ['one of tomorrow', authority.sign({ fromMs: HOUR_MS, untilMs: DAY_MS }), 'cert', 'is not valid yet'],
    [
      'another name',
      authority.sign({ names: ['elsewhere'] }),
      'cert',
      `must have the DNS name ${INTERNAL_TLS_NAME}`,
    ],
    [
      'one for servers alone',
      authority.sign({ uses: ['1.3.6.1.5.5.7.3.1'] }),
      'cert',
      'must be for servers and for clients, or for no use alone',
    ],
  ] as const)('is refused with %s', (_what, pems, part, rule) => {
    expect(brokenPems(pems)).toEqual([{ part, rule }]);
  });
});

describe('the configuration of TLS between replicas', () => {
  const good = new Authority().sign();
  const given = { [CERT]: good.cert, [KEY]: good.key, [CA]: good.ca };
  const rulesOf = (env: Record<string, string>, reader?: 'job') => {
    try {
      readConfig(env, reader);
      return [];
    } catch (error) {
      return (error as ConfigError).report();
    }
  };

  it('requires it as soon as there are certificates, and not before', () => {
    expect(readConfig({}).internalTls).toBeNull();
    expect(readConfig(given).internalTls).toMatchObject({ mode: 'require', files: null });
    expect(readConfig({ ...given, FAIRLEAD_INTERNAL_TLS: 'accept' }).internalTls).toMatchObject({
      mode: 'accept',
    });
    expect(readConfig({ ...given, FAIRLEAD_INTERNAL_TLS: 'off' }).internalTls).toBeNull();
  });

  it('names what is missing of the three', () => {
    const rule = 'is required beside the other variables of FAIRLEAD_INTERNAL_TLS';

    expect(rulesOf({ [CERT]: good.cert })).toEqual([`${KEY}: ${rule}`, `${CA}: ${rule}`]);
    expect(rulesOf({ FAIRLEAD_INTERNAL_TLS: 'require' })).toEqual(
      [CERT, KEY, CA].map((name) => `${name}: ${rule}`),
    );
    expect(rulesOf({ FAIRLEAD_INTERNAL_TLS: 'maybe' })).toEqual([
      'FAIRLEAD_INTERNAL_TLS: must be one of off, accept, require',
    ]);
  });

  it('refuses at the start what would not do, by the name of the variable', () => {
    expect(rulesOf({ ...given, [KEY]: 'x' })).toEqual([
      `${KEY}: must be a private key in PEM, without a passphrase`,
    ]);
    expect(rulesOf({ ...given, [CA]: '-'.repeat(256 * 1024 + 1) })).toEqual([
      `${CA}: must be at most 262144 characters`,
    ]);
  });

  it('asks a job for none, since it speaks to no replica', () => {
    expect(rulesOf({ [CERT]: good.cert }, 'job')).toEqual([]);
  });

  it('has an address for the others that says what is spoken there', () => {
    const [plain, secure] = ['http://10.0.0.1:8091', 'https://10.0.0.1:8091'];
    const at = (url: string, env: Record<string, string>) =>
      rulesOf({
        DATABASE_URL: 'postgres://a/b',
        FAIRLEAD_SEAL_KEYS: '8f1d3c5a7b9e0f2143658709badcfe1032547698a0b1c2d3e4f5061728394a5b',
        FAIRLEAD_CLUSTER_SECRET: '1c5a7b9e0f2143658709badcfe1032547698a0b1c2d3e4f5061728394a5b8f1d',
        FAIRLEAD_ADVERTISE_URL: url,
        ...env,
      });

    expect(at(secure, {})).toEqual([
      'FAIRLEAD_ADVERTISE_URL: must be an http URL where the internal listener speaks no TLS',
    ]);
    expect(at(plain, given)).toEqual([
      'FAIRLEAD_ADVERTISE_URL: must be an https URL where the internal listener requires TLS',
    ]);
    expect(at(secure, given)).toEqual([]);
    expect(at(plain, { ...given, FAIRLEAD_INTERNAL_TLS: 'accept' })).toEqual([]);
  });

  it('knows where the files are, to read them again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
    try {
      const files = Object.entries(given).map(([name, text]) => {
        const path = join(folder, name);
        writeFileSync(path, text);
        return [`${name}_FILE`, path] as const;
      });

      expect(readConfig(Object.fromEntries(files)).internalTls?.files).toEqual({
        cert: join(folder, CERT),
        key: join(folder, KEY),
        ca: join(folder, CA),
      });
      expect(rulesOf({ ...Object.fromEntries(files), [`${KEY}_FILE`]: join(folder, 'none') })).toEqual([
        `${KEY}_FILE: must name a readable file`,
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
