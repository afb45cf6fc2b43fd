import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { validateSync } from 'class-validator';
import { readExports, type LogExportSettings, type TracingSettings } from '../../tracing/settings.js';
import { readAllowList, type AllowList } from './allow-list.js';
import { readClusterSecret } from './cluster-secret.js';
import { ConfigError, type BrokenRule } from './config.error.js';
import { verifiedAddress } from './database-address.js';
import type {
  Environment,
  FirstBootShows,
  LogLevel,
  Pooler,
  StrayPolicy,
  VariableName,
} from './environment.js';
import { isLocallyReachable, localUrl, parseListen, type Listen } from './listen.js';
import { brokenPems, PEM_PARTS, type InternalTls, type PemPart } from './internal-tls.js';
import { readNetworks } from './networks.js';
import { RATE_LIMITS, readRateLimits, type RateLimits } from './rate-limits.js';
import { readSealKeys } from './seal-keys.js';
import { collect, type Collected } from './sources.js';

/** The OpenID provider by which people may sign in. */
export type OidcConfig = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Who may come in whom nobody has made yet. */
  readonly allow: AllowList;
};

/** What a hub process was told, complete and consistent. Holds secrets: not for logs. */
export type HubConfig = {
  readonly database: {
    /** null: the embedded database. */
    readonly url: string | null;
    /** Past a pooler, for LISTEN and migrations; null where `url` is direct. */
    readonly directUrl: string | null;
    /** What `url` leads through. Where there is a direct address too, the other one is taken for a pooler's. */
    readonly pooler: Pooler;
  };
  /** Absolute. */
  readonly dataDir: string;
  readonly listen: Listen;
  /** How brokers and browsers reach the hub; null: to be derived once the listener has its port. */
  readonly publicUrl: string | null;
  readonly internalListen: Listen;
  /** How other replicas reach `internalListen`; null: derived from it once it has its port. */
  readonly advertiseUrl: string | null;
  /** At which address of this machine, where no more than that was told; port and scheme are the listener's. */
  readonly advertiseAddress: string | null;
  /** By what replicas show each other who they are, beside their signatures; null: the internal listener speaks no TLS. */
  readonly internalTls: InternalTls | null;
  /** The current one, then the previous one where there is one; null: made once, see `clusterSecretsOf`. */
  readonly clusterSecrets: readonly Buffer[] | null;
  /** Newest first, 32 bytes each; null: made once in the data directory, see `sealKeysOf`. */
  readonly sealKeys: readonly Buffer[] | null;
  /** Newest first, 32 bytes each; null: derived from the seal keys, see `sessionSecretsOf`. */
  readonly sessionSecrets: readonly Buffer[] | null;
  /** null: nobody signs in by OpenID Connect. */
  readonly oidc: OidcConfig | null;
  readonly drain: {
    /** Milliseconds within which a drain is over, whatever is left. */
    readonly deadlineMs: number;
    /** Milliseconds that the listener stays open after readiness turned false. */
    readonly lingerMs: number;
    /** Brokers of the whole hub that are asked to move within one second, at most. */
    readonly movesPerS: number;
  };
  /** Brokers that are let in within one second, at most. */
  readonly admissionsPerS: number;
  /** Addresses and networks whose word on where a request comes from is taken; of nobody else's. */
  readonly trustedProxies: readonly string[];
  /** Pages of which origins may call the API from a browser. */
  readonly corsOrigins: readonly string[];
  /** What the first start of a hub shows for its first administrator. */
  readonly firstBoot: FirstBootShows;
  /** What one caller may ask, over all replicas together. */
  readonly rateLimits: RateLimits;
  /** Whether commands without an ordering key are stored as claimed for the replica that holds their broker. */
  readonly claimAhead: boolean;
  /** What becomes of runs that nobody wants where they are: of agents that the hub knows, and of those that it does not. */
  readonly strays: { readonly orphans: StrayPolicy; readonly strangers: StrayPolicy };
  readonly history: {
    /** Days for which a command is known after it was accepted. */
    readonly days: number;
    /** Whether the replicas forget what is older by themselves. */
    readonly isForgotten: boolean;
  };
  /** Whether replicas tell each other hints over their links, where there are any. */
  readonly peerWakes: boolean;
  readonly logLevel: LogLevel;
  /** For people and logs; the identity of a replica is made anew at every boot. */
  readonly replicaName: string;
  /** By OpenTelemetry's own variables; null: no spans are made. */
  readonly tracing: TracingSettings;
  /** Likewise; null: the log goes to the standard output alone. */
  readonly logExport: LogExportSettings;
};

/** Who asks: a replica, or a job that needs no more than the way to the database. */
export type ReaderOfConfig = 'replica' | 'job';

/**
 * Reads the configuration from an environment.
 *
 * @throws ConfigError with every rule that is broken
 */
export function readConfig(env: NodeJS.ProcessEnv, reader: ReaderOfConfig = 'replica'): HubConfig {
  const { config, broken } = examineConfig(env, reader);
  if (broken.length > 0) throw new ConfigError(broken);
  return config;
}

/** Every rule that is broken, and the configuration as it is without the variables that break one. */
export function examineConfig(
  env: NodeJS.ProcessEnv,
  reader: ReaderOfConfig = 'replica',
): { config: HubConfig; broken: readonly BrokenRule[] } {
  const { environment, files, broken } = collect(env);
  broken.push(...brokenAlone(environment));
  // A variable that is broken in itself would only add confusion to the rules between variables.
  const sound = without(
    environment,
    broken.map(({ variable }) => variable),
  );
  const { broken: brokenExports, ...exports } = readExports(env);
  broken.push(...brokenExports);
  const config = assemble(sound, files, exports);
  broken.push(...brokenTogether(sound, config, broken, reader));
  return { config, broken };
}

function brokenAlone(environment: Environment): BrokenRule[] {
  return validateSync(environment).flatMap(({ property, constraints }) =>
    Object.values(constraints ?? {}).map((rule) => ({ variable: property, rule })),
  );
}

function without(environment: Environment, names: string[]): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)));
}

function assemble(
  environment: Environment,
  files: Collected['files'],
  { tracing, logExport }: Pick<HubConfig, 'tracing' | 'logExport'>,
): HubConfig {
  const { DATABASE_URL, DATABASE_DIRECT_URL, FAIRLEAD_DATABASE_ROOT_CERT: rootCert } = environment;
  const addressOf = (text: string | undefined): string | null =>
    text === undefined ? null : verifiedAddress(text, rootCert === undefined ? undefined : resolve(rootCert));
  const advertised = environment.FAIRLEAD_ADVERTISE_URL;
  const isAddress = advertised !== undefined && isIP(advertised) !== 0;
  const listen = listenOr(environment.FAIRLEAD_LISTEN, { host: '127.0.0.1', port: 8080 });
  const internalDefault = { host: DATABASE_URL === undefined ? '127.0.0.1' : '0.0.0.0', port: 8091 };
  return Object.freeze({
    database: Object.freeze({
      url: addressOf(DATABASE_URL),
      directUrl: addressOf(DATABASE_DIRECT_URL),
      pooler:
        environment.FAIRLEAD_DATABASE_POOLER ?? (DATABASE_DIRECT_URL === undefined ? 'none' : 'transaction'),
    }),
    dataDir: resolve(environment.FAIRLEAD_DATA_DIR ?? '.fairlead'),
    listen,
    publicUrl: originOf(environment.FAIRLEAD_PUBLIC_URL) ?? localUrl(listen),
    internalListen: listenOr(environment.FAIRLEAD_INTERNAL_LISTEN, internalDefault),
    advertiseUrl: isAddress ? null : (originOf(advertised) ?? null),
    advertiseAddress: isAddress ? advertised : null,
    internalTls: internalTlsOf(environment, files),
    clusterSecrets: secretsOf(
      environment.FAIRLEAD_CLUSTER_SECRET,
      environment.FAIRLEAD_CLUSTER_SECRET_PREVIOUS,
    ),
    sealKeys: keysOf(environment.FAIRLEAD_SEAL_KEYS),
    sessionSecrets: keysOf(environment.FAIRLEAD_SESSION_SECRETS),
    oidc: oidcOf(environment),
    drain: Object.freeze({
      deadlineMs: Number(environment.FAIRLEAD_DRAIN_DEADLINE_S ?? 60) * 1000,
      lingerMs: Number(environment.FAIRLEAD_DRAIN_LINGER_S ?? 10) * 1000,
      movesPerS: Number(environment.FAIRLEAD_MOVE_BUDGET ?? 200),
    }),
    admissionsPerS: Number(environment.FAIRLEAD_ADMISSIONS_PER_S ?? 1_000),
    trustedProxies: Object.freeze(readNetworks(environment.FAIRLEAD_TRUSTED_PROXIES ?? '') ?? []),
    corsOrigins: Object.freeze(
      (environment.FAIRLEAD_CORS_ORIGINS ?? '')
        .split(',')
        .flatMap((text) => originOf(text.trim() || undefined) ?? []),
    ),
    firstBoot: environment.FAIRLEAD_FIRST_BOOT ?? 'link',
    rateLimits: limitsOf(environment.FAIRLEAD_RATE_LIMITS),
    claimAhead: environment.FAIRLEAD_CLAIM_AHEAD !== 'off',
    strays: Object.freeze({
      orphans: environment.FAIRLEAD_ORPHAN_RUNS ?? 'stop',
      strangers: environment.FAIRLEAD_STRANGER_RUNS ?? 'report',
    }),
    history: Object.freeze({
      days: Number(environment.FAIRLEAD_HISTORY_DAYS ?? 30),
      isForgotten: environment.FAIRLEAD_RETENTION !== 'off',
    }),
    peerWakes: environment.FAIRLEAD_PEER_WAKES !== 'off',
    logLevel: environment.FAIRLEAD_LOG_LEVEL ?? 'info',
    replicaName: environment.FAIRLEAD_REPLICA_NAME ?? hostname(),
    tracing,
    logExport,
  });
}

function brokenTogether(
  given: Environment,
  config: HubConfig,
  already: BrokenRule[],
  reader: ReaderOfConfig,
): BrokenRule[] {
  const isFaulty = (...names: string[]): boolean =>
    already.some(({ variable }) => names.includes(variable.replace(/_FILE$/, '')));
  const { listen, internalListen, drain, database, clusterSecrets, sealKeys } = config;
  const advertisedHost =
    config.advertiseAddress ?? (config.advertiseUrl === null ? null : hostOf(config.advertiseUrl));
  const rules: [broken: boolean, variable: string, rule: string][] = [
    [
      database.directUrl !== null && database.url === null && !isFaulty('DATABASE_URL'),
      'DATABASE_DIRECT_URL',
      'needs DATABASE_URL beside it',
    ],
    [
      given.FAIRLEAD_DATABASE_ROOT_CERT !== undefined && database.url === null && !isFaulty('DATABASE_URL'),
      'FAIRLEAD_DATABASE_ROOT_CERT',
      'needs DATABASE_URL beside it',
    ],
    [
      given.FAIRLEAD_DATABASE_POOLER === 'transaction' && database.url === null && !isFaulty('DATABASE_URL'),
      'FAIRLEAD_DATABASE_POOLER',
      'needs DATABASE_URL beside it',
    ],
    [
      reader === 'replica' &&
        (database.url !== null || isFaulty('DATABASE_URL')) &&
        sealKeys === null &&
        !isFaulty('FAIRLEAD_SEAL_KEYS'),
      'FAIRLEAD_SEAL_KEYS',
      'is required with DATABASE_URL, since every replica must have the same',
    ],
    [
      reader === 'replica' &&
        (database.url !== null || isFaulty('DATABASE_URL')) &&
        clusterSecrets === null &&
        !isFaulty('FAIRLEAD_CLUSTER_SECRET'),
      'FAIRLEAD_CLUSTER_SECRET',
      'is required with DATABASE_URL, since every replica must have the same',
    ],
    [
      given.FAIRLEAD_CLUSTER_SECRET_PREVIOUS !== undefined &&
        given.FAIRLEAD_CLUSTER_SECRET === undefined &&
        !isFaulty('FAIRLEAD_CLUSTER_SECRET'),
      'FAIRLEAD_CLUSTER_SECRET_PREVIOUS',
      'needs FAIRLEAD_CLUSTER_SECRET beside it',
    ],
    [
      clusterSecrets?.[1] !== undefined && clusterSecrets[0]?.equals(clusterSecrets[1]) === true,
      'FAIRLEAD_CLUSTER_SECRET_PREVIOUS',
      'must not be the current one',
    ],
    [
      advertisedHost !== null &&
        database.url === null &&
        !isFaulty('DATABASE_URL') &&
        !isLocallyReachable({ host: advertisedHost, port: 0 }),
      'FAIRLEAD_ADVERTISE_URL',
      'must be on loopback without DATABASE_URL: the embedded database is for one machine',
    ],
    [
      drain.lingerMs >= drain.deadlineMs && !isFaulty('FAIRLEAD_DRAIN_LINGER_S', 'FAIRLEAD_DRAIN_DEADLINE_S'),
      'FAIRLEAD_DRAIN_LINGER_S',
      'must be less than FAIRLEAD_DRAIN_DEADLINE_S',
    ],
    [
      listen.port === internalListen.port &&
        listen.port !== 0 &&
        !isFaulty('FAIRLEAD_LISTEN', 'FAIRLEAD_INTERNAL_LISTEN'),
      given.FAIRLEAD_INTERNAL_LISTEN === undefined ? 'FAIRLEAD_LISTEN' : 'FAIRLEAD_INTERNAL_LISTEN',
      'must not have the same port for the public and the internal listener',
    ],
    // A job signs nobody in, and speaks to no replica.
    ...(reader === 'job' ? [] : brokenOidc(given, isFaulty)),
    ...(reader === 'job' ? [] : brokenInternalTls(given, config, isFaulty)),
  ];
  return rules.filter(([broken]) => broken).map(([, variable, rule]) => ({ variable, rule }));
}

const OIDC = ['FAIRLEAD_OIDC_ISSUER', 'FAIRLEAD_OIDC_CLIENT_ID', 'FAIRLEAD_OIDC_CLIENT_SECRET'] as const;

function brokenOidc(
  given: Environment,
  isFaulty: (...names: string[]) => boolean,
): [broken: boolean, variable: string, rule: string][] {
  const isWanted = OIDC.some((name) => given[name] !== undefined) || given.FAIRLEAD_OIDC_ALLOW !== undefined;
  return OIDC.map((name) => [
    isWanted && given[name] === undefined && !isFaulty(name),
    name,
    'is required beside the other variables of FAIRLEAD_OIDC_',
  ]);
}

const TLS = {
  cert: 'FAIRLEAD_INTERNAL_TLS_CERT',
  key: 'FAIRLEAD_INTERNAL_TLS_KEY',
  ca: 'FAIRLEAD_INTERNAL_TLS_CA',
} as const satisfies Record<PemPart, VariableName>;

/** Without a word on it, TLS is required as soon as there is a part of what it takes. */
function tlsModeOf(given: Environment): InternalTls['mode'] | 'off' {
  const isWanted = PEM_PARTS.some((part) => given[TLS[part]] !== undefined);
  return given.FAIRLEAD_INTERNAL_TLS ?? (isWanted ? 'require' : 'off');
}

function brokenInternalTls(
  given: Environment,
  { advertiseUrl, internalTls }: HubConfig,
  isFaulty: (...names: string[]) => boolean,
): [broken: boolean, variable: string, rule: string][] {
  const mode = tlsModeOf(given);
  const scheme = advertiseUrl === null ? null : new URL(advertiseUrl).protocol;
  return [
    ...PEM_PARTS.map((part): [boolean, string, string] => [
      mode !== 'off' && given[TLS[part]] === undefined && !isFaulty(TLS[part]),
      TLS[part],
      'is required beside the other variables of FAIRLEAD_INTERNAL_TLS',
    ]),
    ...(internalTls === null ? [] : brokenPems(internalTls.pems)).map(
      ({ part, rule }): [boolean, string, string] => [true, TLS[part], rule],
    ),
    [
      mode === 'off' && scheme === 'https:' && !isFaulty('FAIRLEAD_INTERNAL_TLS', ...Object.values(TLS)),
      'FAIRLEAD_ADVERTISE_URL',
      'must be an http URL where the internal listener speaks no TLS',
    ],
    [
      mode === 'require' && scheme === 'http:',
      'FAIRLEAD_ADVERTISE_URL',
      'must be an https URL where the internal listener requires TLS',
    ],
  ];
}

/** Whole, or none: what is missing is told by a rule. */
function internalTlsOf(environment: Environment, files: Collected['files']): InternalTls | null {
  const mode = tlsModeOf(environment);
  const [cert, key, ca] = PEM_PARTS.map((part) => environment[TLS[part]]);
  if (mode === 'off' || cert === undefined || key === undefined || ca === undefined) return null;
  const [certFile, keyFile, caFile] = PEM_PARTS.map((part) => files[TLS[part]]);
  const areFiles = certFile !== undefined && keyFile !== undefined && caFile !== undefined;
  return Object.freeze({
    mode,
    pems: Object.freeze({ cert, key, ca }),
    files: areFiles
      ? Object.freeze({ cert: resolve(certFile), key: resolve(keyFile), ca: resolve(caFile) })
      : null,
  });
}

function listenOr(text: string | undefined, otherwise: Listen): Listen {
  return Object.freeze(text === undefined ? otherwise : (parseListen(text) ?? otherwise));
}

/** Without the slash at its end, so that paths can be put behind it. */
function originOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : new URL(text).origin;
}

function hostOf(origin: string): string {
  return new URL(origin).hostname.replace(/^\[|\]$/g, '');
}

function secretsOf(current: string | undefined, previous: string | undefined): readonly Buffer[] | null {
  if (current === undefined) return null;
  const read = [current, previous].flatMap((text) => (text === undefined ? [] : [readClusterSecret(text)]));
  return Object.freeze(read.flatMap((each) => ('secret' in each ? [each.secret] : [])));
}

/** Whole, or none: what is missing is told by a rule. */
function oidcOf(environment: Environment): OidcConfig | null {
  const {
    FAIRLEAD_OIDC_ISSUER: issuer,
    FAIRLEAD_OIDC_CLIENT_ID: clientId,
    FAIRLEAD_OIDC_CLIENT_SECRET: clientSecret,
    FAIRLEAD_OIDC_ALLOW: allowed = '',
  } = environment;
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) return null;
  const read = readAllowList(allowed);
  return Object.freeze({ issuer, clientId, clientSecret, allow: 'list' in read ? read.list : NOBODY });
}

const NOBODY: AllowList = { domains: new Set(), addresses: new Set() };

function limitsOf(text: string | undefined): RateLimits {
  const read = text === undefined ? undefined : readRateLimits(text);
  return Object.freeze(read !== undefined && 'limits' in read ? read.limits : RATE_LIMITS);
}

function keysOf(text: string | undefined): readonly Buffer[] | null {
  const read = text === undefined ? undefined : readSealKeys(text);
  return read !== undefined && 'keys' in read ? Object.freeze([...read.keys]) : null;
}
