import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError, EXIT_CONFIG, type BrokenRule } from './config.error.js';
import { RATE_LIMITS } from './rate-limits.js';
import { readConfig } from './hub-config.js';
import { EXAMPLE_KEY } from './seal-keys.js';

const NEW_KEY = '8f1d3c5a7b9e0f2143658709badcfe1032547698a0b1c2d3e4f5061728394a5b';
const OLD_KEY = NEW_KEY.split('').reverse().join('');
const SECRET = '1c5a7b9e0f2143658709badcfe1032547698a0b1c2d3e4f5061728394a5b8f1d';
const production = {
  DATABASE_URL: 'postgres://u:p4ss@db.example/hub',
  FAIRLEAD_CLUSTER_SECRET: SECRET,
  FAIRLEAD_SEAL_KEYS: NEW_KEY,
};

describe('the configuration', () => {
  it('has a default for everything: the embedded database, on loopback alone', () => {
    expect(readConfig({})).toEqual({
      database: { url: null, directUrl: null, pooler: 'none' },
      dataDir: resolve('.fairlead'),
      listen: { host: '127.0.0.1', port: 8080 },
      publicUrl: 'http://127.0.0.1:8080',
      internalListen: { host: '127.0.0.1', port: 8091 },
      advertiseUrl: null,
      advertiseAddress: null,
      internalTls: null,
      clusterSecrets: null,
      sealKeys: null,
      drain: { deadlineMs: 60_000, lingerMs: 10_000, movesPerS: 200 },
      admissionsPerS: 1_000,
      trustedProxies: [],
      corsOrigins: [],
      firstBoot: 'link',
      sessionSecrets: null,
      oidc: null,
      rateLimits: RATE_LIMITS,
      claimAhead: true,
      strays: { orphans: 'stop', strangers: 'report' },
      history: { days: 30, isForgotten: true },
      peerWakes: true,
      logLevel: 'info',
      replicaName: hostname(),
      tracing: null,
      logExport: null,
    });
  });

  it('takes every variable', () => {
    const config = readConfig({
      ...production,
      DATABASE_DIRECT_URL: 'postgresql://u:p4ss@direct.example/hub',
      FAIRLEAD_DATABASE_ROOT_CERT: '/etc/hub/ca.crt',
      FAIRLEAD_DATA_DIR: '/var/lib/hub',
      FAIRLEAD_LISTEN: '[::]:80',
      FAIRLEAD_PUBLIC_URL: 'https://hub.example/',
      FAIRLEAD_INTERNAL_LISTEN: '[::1]:81',
      FAIRLEAD_ADVERTISE_URL: 'http://[fd00::7]:81/',
      FAIRLEAD_CLUSTER_SECRET_PREVIOUS: OLD_KEY,
      FAIRLEAD_SEAL_KEYS: `${NEW_KEY}, ${OLD_KEY}`,
      FAIRLEAD_DRAIN_DEADLINE_S: '30',
      FAIRLEAD_DRAIN_LINGER_S: '0',
      FAIRLEAD_ADMISSIONS_PER_S: '100000',
      FAIRLEAD_MOVE_BUDGET: '50',
      FAIRLEAD_TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::/32,192.0.2.7',
      FAIRLEAD_CORS_ORIGINS: 'https://a.example/, http://b.example:8080',
      FAIRLEAD_FIRST_BOOT: 'token',
      FAIRLEAD_OIDC_ISSUER: 'https://id.example/realm',
      FAIRLEAD_OIDC_CLIENT_ID: 'fairlead',
      FAIRLEAD_OIDC_CLIENT_SECRET: 'p4ss',
      FAIRLEAD_OIDC_ALLOW: 'a.example, b@c.example',
      FAIRLEAD_SESSION_SECRETS: `${OLD_KEY},${NEW_KEY}`,
      FAIRLEAD_RATE_LIMITS: 'read=off,write=100:600',
      FAIRLEAD_CLAIM_AHEAD: 'off',
      FAIRLEAD_ORPHAN_RUNS: 'report',
      FAIRLEAD_STRANGER_RUNS: 'stop',
      FAIRLEAD_HISTORY_DAYS: '8',
      FAIRLEAD_RETENTION: 'off',
      FAIRLEAD_PEER_WAKES: 'off',
      FAIRLEAD_LOG_LEVEL: 'debug',
      FAIRLEAD_REPLICA_NAME: 'hub-7d9f-x2',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example:4318',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_MAX_QUEUE_SIZE: '100',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/protobuf',
      OTEL_BLRP_MAX_QUEUE_SIZE: '200',
    });

    expect(config).toEqual({
      database: {
        url: `${production.DATABASE_URL}?sslmode=verify-full&sslrootcert=%2Fetc%2Fhub%2Fca.crt`,
        directUrl:
          'postgresql://u:p4ss@direct.example/hub?sslmode=verify-full&sslrootcert=%2Fetc%2Fhub%2Fca.crt',
        pooler: 'transaction',
      },
      dataDir: '/var/lib/hub',
      listen: { host: '::', port: 80 },
      publicUrl: 'https://hub.example',
      internalListen: { host: '::1', port: 81 },
      advertiseUrl: 'http://[fd00::7]:81',
      advertiseAddress: null,
      internalTls: null,
      clusterSecrets: [Buffer.from(SECRET, 'hex'), Buffer.from(OLD_KEY, 'hex')],
      sealKeys: [Buffer.from(NEW_KEY, 'hex'), Buffer.from(OLD_KEY, 'hex')],
      drain: { deadlineMs: 30_000, lingerMs: 0, movesPerS: 50 },
      admissionsPerS: 100_000,
      trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'],
      corsOrigins: ['https://a.example', 'http://b.example:8080'],
      firstBoot: 'token',
      oidc: {
        issuer: 'https://id.example/realm',
        clientId: 'fairlead',
        clientSecret: 'p4ss',
        allow: { domains: new Set(['a.example']), addresses: new Set(['b@c.example']) },
      },
      sessionSecrets: [Buffer.from(OLD_KEY, 'hex'), Buffer.from(NEW_KEY, 'hex')],
      rateLimits: { ...RATE_LIMITS, read: null, write: { perS: 100, burst: 600 } },
      claimAhead: false,
      strays: { orphans: 'report', strangers: 'stop' },
      history: { days: 8, isForgotten: false },
      peerWakes: false,
      logLevel: 'debug',
      replicaName: 'hub-7d9f-x2',
      tracing: { protocol: 'http/json', queueMost: 100 },
      logExport: {
        protocol: 'http/protobuf',
        queueMost: 200,
        batchMost: 512,
        delayMs: 1_000,
        exportWithinMs: 30_000,
      },
    });
  });

  it.each([
    ['nothing', {}, 'none'],
    ['a direct address beside the other', { DATABASE_DIRECT_URL: 'postgres://direct/hub' }, 'transaction'],
    ['what is said', { FAIRLEAD_DATABASE_POOLER: 'transaction' }, 'transaction'],
    [
      'what is said of an address beside a direct one',
      { DATABASE_DIRECT_URL: 'postgres://direct/hub', FAIRLEAD_DATABASE_POOLER: 'none' },
      'none',
    ],
  ])('takes the pooler from %s', (_what, given, pooler) => {
    expect(readConfig({ ...production, ...given }).database.pooler).toBe(pooler);
  });

  it('opens the internal listener to peers once the database is shared', () => {
    expect(readConfig(production).internalListen).toEqual({ host: '0.0.0.0', port: 8091 });
  });

  it('leaves the public URL open where the system is to choose the port', () => {
    const config = readConfig({ FAIRLEAD_LISTEN: '127.0.0.1:0', FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0' });

    expect(config.publicUrl).toBeNull();
    expect(config.listen.port).toBe(0);
  });

  it('derives a public URL that can be dialled from a listener on every address', () => {
    expect(readConfig({ FAIRLEAD_LISTEN: '0.0.0.0:9000' }).publicUrl).toBe('http://127.0.0.1:9000');
    expect(readConfig({ FAIRLEAD_LISTEN: '[::1]:9000' }).publicUrl).toBe('http://[::1]:9000');
  });

  it('cannot be changed afterwards', () => {
    const config = readConfig(production);

    for (const part of [config, config.database, config.listen, config.internalListen, config.drain]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(Object.isFrozen(config.sealKeys)).toBe(true);
    expect(Object.isFrozen(config.clusterSecrets)).toBe(true);
  });

  it('asks a job for nothing but the way to the database, and for no secret of the replicas', () => {
    const { database, sealKeys } = readConfig({ DATABASE_URL: 'postgres://h/d' }, 'job');

    expect(database.url).toBe('postgres://h/d');
    expect(sealKeys).toBeNull();
    expect(() => readConfig({ DATABASE_DIRECT_URL: 'postgres://h/d' }, 'job')).toThrow(ConfigError);
  });

  it.each(['10.1.2.3', 'fd00::7'])('takes an address alone as that at which peers find it: %s', (address) => {
    const { advertiseUrl, advertiseAddress } = readConfig({ ...production, FAIRLEAD_ADVERTISE_URL: address });

    expect({ advertiseUrl, advertiseAddress }).toEqual({ advertiseUrl: null, advertiseAddress: address });
  });

  it('takes an empty variable for one that is not given', () => {
    expect(readConfig({ DATABASE_URL: '', FAIRLEAD_LOG_LEVEL: ' ' })).toEqual(readConfig({}));
  });

  it.each<[string, NodeJS.ProcessEnv, string[]]>([
    ['a database of another kind', { ...production, DATABASE_URL: 'mysql://h/d' }, ['DATABASE_URL']],
    ['a direct URL alone', { DATABASE_DIRECT_URL: 'postgres://h/d' }, ['DATABASE_DIRECT_URL']],
    [
      'a shared database without secrets',
      { DATABASE_URL: 'postgres://h/d' },
      ['FAIRLEAD_SEAL_KEYS', 'FAIRLEAD_CLUSTER_SECRET'],
    ],
    ['a short cluster secret', { FAIRLEAD_CLUSTER_SECRET: SECRET.slice(1) }, ['FAIRLEAD_CLUSTER_SECRET']],
    [
      'a cluster secret that is not hex',
      { FAIRLEAD_CLUSTER_SECRET: `z${SECRET.slice(1)}` },
      ['FAIRLEAD_CLUSTER_SECRET'],
    ],
    ['a cluster secret of zeros', { FAIRLEAD_CLUSTER_SECRET: '0'.repeat(64) }, ['FAIRLEAD_CLUSTER_SECRET']],
    ['a documented cluster secret', { FAIRLEAD_CLUSTER_SECRET: EXAMPLE_KEY }, ['FAIRLEAD_CLUSTER_SECRET']],
    [
      'a weak previous cluster secret',
      { ...production, FAIRLEAD_CLUSTER_SECRET_PREVIOUS: EXAMPLE_KEY },
      ['FAIRLEAD_CLUSTER_SECRET_PREVIOUS'],
    ],
    [
      'a previous cluster secret alone',
      { FAIRLEAD_CLUSTER_SECRET_PREVIOUS: SECRET },
      ['FAIRLEAD_CLUSTER_SECRET_PREVIOUS'],
    ],
    [
      'one cluster secret as both',
      { ...production, FAIRLEAD_CLUSTER_SECRET_PREVIOUS: SECRET.toUpperCase() },
      ['FAIRLEAD_CLUSTER_SECRET_PREVIOUS'],
    ],
    [
      'an embedded database that peers elsewhere would be told of',
      { FAIRLEAD_ADVERTISE_URL: 'http://10.0.0.7:8091' },
      ['FAIRLEAD_ADVERTISE_URL'],
    ],
    [
      'an embedded database whose peers would be told of an address elsewhere',
      { FAIRLEAD_ADVERTISE_URL: 'fd00::7' },
      ['FAIRLEAD_ADVERTISE_URL'],
    ],
    [
      'an address for peers that is neither a URL nor an address',
      { ...production, FAIRLEAD_ADVERTISE_URL: 'http://fd00::7:8091' },
      ['FAIRLEAD_ADVERTISE_URL'],
    ],
    [
      'what is in a file of authorities in place of its path',
      { ...production, FAIRLEAD_DATABASE_ROOT_CERT: '-----BEGIN CERTIFICATE-----\n' },
      ['FAIRLEAD_DATABASE_ROOT_CERT'],
    ],
    [
      'an address for peers of one link of a machine alone',
      { ...production, FAIRLEAD_ADVERTISE_URL: 'fe80::1%eth0' },
      ['FAIRLEAD_ADVERTISE_URL'],
    ],
    [
      'authorities for a database that is embedded',
      { FAIRLEAD_DATABASE_ROOT_CERT: '/etc/hub/ca.crt' },
      ['FAIRLEAD_DATABASE_ROOT_CERT'],
    ],
    [
      'an address for peers that is spoken over TLS',
      { ...production, FAIRLEAD_ADVERTISE_URL: 'https://10.0.0.7:8091' },
      ['FAIRLEAD_ADVERTISE_URL'],
    ],
    ['a listener without port', { FAIRLEAD_LISTEN: '127.0.0.1' }, ['FAIRLEAD_LISTEN']],
    ['a port that does not exist', { FAIRLEAD_LISTEN: '127.0.0.1:65536' }, ['FAIRLEAD_LISTEN']],
    ['a bracketed host that is no IPv6 address', { FAIRLEAD_LISTEN: '[fe]:80' }, ['FAIRLEAD_LISTEN']],
    ['one port for two listeners', { FAIRLEAD_LISTEN: '127.0.0.1:8091' }, ['FAIRLEAD_LISTEN']],
    [
      'an internal listener that a local drain cannot reach',
      { FAIRLEAD_INTERNAL_LISTEN: '10.0.0.7:8091' },
      ['FAIRLEAD_INTERNAL_LISTEN'],
    ],
    ['a public URL with a path', { FAIRLEAD_PUBLIC_URL: 'https://hub.example/x' }, ['FAIRLEAD_PUBLIC_URL']],
    [
      'a public URL with a password',
      { FAIRLEAD_PUBLIC_URL: 'https://a:b@hub.example' },
      ['FAIRLEAD_PUBLIC_URL'],
    ],
    ['a public URL of another scheme', { FAIRLEAD_PUBLIC_URL: 'ftp://hub.example' }, ['FAIRLEAD_PUBLIC_URL']],
    ['a short seal key', { FAIRLEAD_SEAL_KEYS: NEW_KEY.slice(2) }, ['FAIRLEAD_SEAL_KEYS']],
    ['a seal key that is not hex', { FAIRLEAD_SEAL_KEYS: `z${NEW_KEY.slice(1)}` }, ['FAIRLEAD_SEAL_KEYS']],
    ['a seal key of zeros', { FAIRLEAD_SEAL_KEYS: '0'.repeat(64) }, ['FAIRLEAD_SEAL_KEYS']],
    ['the seal key of the documentation', { FAIRLEAD_SEAL_KEYS: EXAMPLE_KEY }, ['FAIRLEAD_SEAL_KEYS']],
    [
      'a weak key among others',
      { FAIRLEAD_SEAL_KEYS: `${NEW_KEY},${'0'.repeat(64)}` },
      ['FAIRLEAD_SEAL_KEYS'],
    ],
    ['a seal key twice', { FAIRLEAD_SEAL_KEYS: `${NEW_KEY},${NEW_KEY}` }, ['FAIRLEAD_SEAL_KEYS']],
    ['a linger as long as the drain', { FAIRLEAD_DRAIN_LINGER_S: '60' }, ['FAIRLEAD_DRAIN_LINGER_S']],
    ['seconds with a unit', { FAIRLEAD_DRAIN_DEADLINE_S: '60s' }, ['FAIRLEAD_DRAIN_DEADLINE_S']],
    ['a policy for strays that is none', { FAIRLEAD_ORPHAN_RUNS: 'kill' }, ['FAIRLEAD_ORPHAN_RUNS']],
    ['an admission of nobody', { FAIRLEAD_ADMISSIONS_PER_S: '0' }, ['FAIRLEAD_ADMISSIONS_PER_S']],
    ['one admission too many', { FAIRLEAD_ADMISSIONS_PER_S: '100001' }, ['FAIRLEAD_ADMISSIONS_PER_S']],
    ['a move of nobody', { FAIRLEAD_MOVE_BUDGET: '0' }, ['FAIRLEAD_MOVE_BUDGET']],
    ['one move too many', { FAIRLEAD_MOVE_BUDGET: '100001' }, ['FAIRLEAD_MOVE_BUDGET']],
    ['a switch that is neither', { FAIRLEAD_CLAIM_AHEAD: 'maybe' }, ['FAIRLEAD_CLAIM_AHEAD']],
    ['a history shorter than a command may live', { FAIRLEAD_HISTORY_DAYS: '7' }, ['FAIRLEAD_HISTORY_DAYS']],
    ['a history of more than ten years', { FAIRLEAD_HISTORY_DAYS: '3651' }, ['FAIRLEAD_HISTORY_DAYS']],
    ['a first boot that shows neither', { FAIRLEAD_FIRST_BOOT: 'password' }, ['FAIRLEAD_FIRST_BOOT']],
    ['session secrets that are none', { FAIRLEAD_SESSION_SECRETS: 'secret' }, ['FAIRLEAD_SESSION_SECRETS']],
    [
      'a provider without a client',
      { FAIRLEAD_OIDC_ISSUER: 'https://id.example' },
      ['FAIRLEAD_OIDC_CLIENT_ID', 'FAIRLEAD_OIDC_CLIENT_SECRET'],
    ],
    [
      'an allow-list that is none, without a provider',
      { FAIRLEAD_OIDC_ALLOW: 'everybody' },
      ['FAIRLEAD_OIDC_ALLOW'],
    ],
    [
      'a provider that others can listen to',
      {
        FAIRLEAD_OIDC_ISSUER: 'http://id.example',
        FAIRLEAD_OIDC_CLIENT_ID: 'x',
        FAIRLEAD_OIDC_CLIENT_SECRET: 'y',
      },
      ['FAIRLEAD_OIDC_ISSUER'],
    ],
    ['a retention that is neither', { FAIRLEAD_RETENTION: '30' }, ['FAIRLEAD_RETENTION']],
    ['an unknown level', { FAIRLEAD_LOG_LEVEL: 'loud' }, ['FAIRLEAD_LOG_LEVEL']],
    ['a name with spaces', { FAIRLEAD_REPLICA_NAME: 'a b' }, ['FAIRLEAD_REPLICA_NAME']],
    [
      'a protocol of spans that is not spoken here',
      { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      ['OTEL_EXPORTER_OTLP_PROTOCOL'],
    ],
    [
      'a protocol of logs that is not spoken here',
      { OTEL_LOGS_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'grpc' },
      ['OTEL_EXPORTER_OTLP_LOGS_PROTOCOL'],
    ],
    ['a variable nobody knows', { FAIRLEAD_COLOUR: 'red' }, ['FAIRLEAD_COLOUR']],
  ])('refuses %s, by the name of its variable', (_what, env, names) => {
    expect(rulesOf(env).map(({ variable }) => variable)).toEqual(names);
  });

  it('suggests what a mistyped variable most likely meant', () => {
    expect(rulesOf({ FAIRLEAD_LISTN: '127.0.0.1:1' })).toEqual([
      { variable: 'FAIRLEAD_LISTN', rule: 'is not known; did you mean FAIRLEAD_LISTEN?' },
    ]);
  });

  it('tolerates the variables of the CLI, the broker and its agents, and those that Kubernetes adds', () => {
    const others = {
      FAIRLEAD_URL: 'http://hub',
      FAIRLEAD_TOKEN: 't',
      FAIRLEAD_HOME: '/h',
      FAIRLEAD_BROKER_WINDOW: '9',
      FAIRLEAD_AGENT_ID: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33',
      FAIRLEAD_AGENT_TOKEN_FILE: '/run/token',
      FAIRLEAD_RUN_ID: '0198f1a2-9a01-7c22-8b1d-5f0e2d1c3b4a',
      FAIRLEAD_SERVICE_HOST: '10.0.0.1',
      FAIRLEAD_PORT_8080_TCP_ADDR: '10.0.0.1',
      FAIRLEAD_INTERNAL_SERVICE_PORT_HTTP: '8091',
    };

    expect(readConfig(others)).toEqual(readConfig({}));
  });

  it('tells every broken rule at once, and never a value', () => {
    const env = {
      DATABASE_URL: 'mysql://root:hunter2@h/d',
      FAIRLEAD_CLUSTER_SECRET: 'hunter2',
      FAIRLEAD_SEAL_KEYS: 'hunter2',
      FAIRLEAD_LISTEN: 'hunter2',
      FAIRLEAD_LOG_LEVEL: 'hunter2',
      FAIRLEAD_SEAL_KEYZ: 'hunter2',
      FAIRLEAD_DATA_DIR_FILE: '/hunter2',
    };

    const error = failureOf(env);

    expect(error.broken.map(({ variable }) => variable).sort()).toEqual([
      'DATABASE_URL',
      'FAIRLEAD_CLUSTER_SECRET',
      'FAIRLEAD_DATA_DIR_FILE',
      'FAIRLEAD_LISTEN',
      'FAIRLEAD_LOG_LEVEL',
      'FAIRLEAD_SEAL_KEYS',
      'FAIRLEAD_SEAL_KEYZ',
    ]);
    expect(error.report()).toHaveLength(7);
    expect(error.report()).toContain('DATABASE_URL: must be a postgres:// or postgresql:// URL');
    expect(`${error.message}${error.report().join('')}${JSON.stringify(error)}`).not.toContain('hunter2');
    expect(EXIT_CONFIG).toBe(78);
  });

  describe('from files', () => {
    let directory: string;

    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'fairlead-config-'));
    });

    afterEach(() => rmSync(directory, { recursive: true, force: true }));

    const file = (content: string): string => {
      const path = join(directory, 'value');
      writeFileSync(path, content);
      return path;
    };

    it('takes the content of the file that NAME_FILE names, without the space around it', () => {
      const config = readConfig({ FAIRLEAD_SEAL_KEYS_FILE: file(`${NEW_KEY}\n`) });

      expect(config.sealKeys).toEqual([Buffer.from(NEW_KEY, 'hex')]);
    });

    it('judges what it read there by the same rules', () => {
      expect(rulesOf({ FAIRLEAD_LOG_LEVEL_FILE: file('loud') })).toEqual([
        { variable: 'FAIRLEAD_LOG_LEVEL', rule: expect.stringContaining('must be one of') },
      ]);
    });

    it('refuses a variable that is given both ways', () => {
      expect(rulesOf({ ...production, DATABASE_URL_FILE: file('postgres://h/d') })).toEqual([
        { variable: 'DATABASE_URL_FILE', rule: 'must not be given together with DATABASE_URL' },
      ]);
    });

    it('refuses a file that is empty or not there', () => {
      expect(rulesOf({ FAIRLEAD_LISTEN_FILE: file(' \n') })).toHaveLength(1);
      expect(rulesOf({ FAIRLEAD_LISTEN_FILE: join(directory, 'absent') })).toHaveLength(1);
    });
  });
});

function failureOf(env: NodeJS.ProcessEnv): ConfigError {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

function rulesOf(env: NodeJS.ProcessEnv): readonly BrokenRule[] {
  return failureOf(env).broken;
}
