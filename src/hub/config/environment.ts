import { isIP } from 'node:net';
import { getMetadataStorage, IsIn, IsOptional, Length, Matches, ValidateBy } from 'class-validator';
import { readAllowList } from './allow-list.js';
import { readClusterSecret } from './cluster-secret.js';
import { INTERNAL_TLS_MODES, type InternalTlsMode } from './internal-tls.js';
import { isLocallyReachable, parseListen } from './listen.js';
import { readNetworks } from './networks.js';
import { readRateLimits } from './rate-limits.js';
import { readSealKeys } from './seal-keys.js';

/** What the log may be told to show, from least to most. */
export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What may stand between the hub and its database; `transaction`: a session is lent for one transaction at a time. */
export const POOLERS = ['none', 'transaction'] as const;
export type Pooler = (typeof POOLERS)[number];

/** What the first start of a hub shows: a link by which a person sets a password, or a token for a program. */
export const FIRST_BOOTS = ['link', 'token'] as const;
export type FirstBootShows = (typeof FIRST_BOOTS)[number];

export const SWITCH = ['on', 'off'] as const;
export type Switch = (typeof SWITCH)[number];

/** What may become of a run that nobody wants where it is. */
export const STRAY_POLICIES = ['report', 'stop'] as const;
export type StrayPolicy = (typeof STRAY_POLICIES)[number];

/** How long ended commands may be kept: a day longer than any may live, so that its caller can learn the end. */
export const HISTORY_DAYS = { least: 8, most: 3_650 };

/** Far more brokers than one replica can welcome within a second. */
const ADMISSIONS_MOST = 100_000;

/** A certificate with those above it has a few thousand. */
const PEM_CHARACTERS = 256 * 1024;
const PEM_RULE = `must be at most ${PEM_CHARACTERS} characters`;

/** A check of one text whose message is the rule, and never the value. */
function Holds(rule: string, holds: (text: string) => boolean): PropertyDecorator {
  return ValidateBy(
    { name: rule, validator: { validate: (value) => typeof value === 'string' && holds(value) } },
    { message: rule },
  );
}

/** As `Holds`, where the check itself says which rule is broken. */
function Obeys(check: (text: string) => string | undefined): PropertyDecorator {
  return ValidateBy({
    name: 'obeys',
    validator: {
      validate: (value) => typeof value === 'string' && check(value) === undefined,
      defaultMessage: (found) => check(String(found?.value)) ?? '',
    },
  });
}

const IsDatabaseUrl = (): PropertyDecorator =>
  Holds(
    'must be a postgres:// or postgresql:// URL',
    (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text),
  );

const IsListen = (): PropertyDecorator =>
  Holds(
    'must be host:port, an IPv6 address in brackets, the port from 0 to 65535',
    (text) => parseListen(text) !== undefined,
  );

const IsClusterSecret = (): PropertyDecorator =>
  Obeys((text) => {
    const read = readClusterSecret(text);
    return 'rule' in read ? read.rule : undefined;
  });

const IsSeconds = (min: number, max: number): PropertyDecorator =>
  Holds(
    `must be a whole number of seconds from ${min} to ${max}`,
    (text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
  );

const IsBrokersPerS = (): PropertyDecorator =>
  Holds(
    `must be a whole number of brokers from 1 to ${ADMISSIONS_MOST}`,
    (text) => /^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= ADMISSIONS_MOST,
  );

/**
 * The variables that the hub reads, as text, and the rule that each must obey for itself. Rules between variables
 * are in `hub-config.ts`, and so are the defaults.
 */
export class Environment {
  @IsOptional()
  @IsDatabaseUrl()
  DATABASE_URL?: string;

  @IsOptional()
  @IsDatabaseUrl()
  DATABASE_DIRECT_URL?: string;

  @IsOptional()
  @Length(1, 4096, { message: 'must be a path' })
  @Holds('must be the path of a file, and not what is in it', (text) => !text.includes('-----BEGIN '))
  FAIRLEAD_DATABASE_ROOT_CERT?: string;

  @IsOptional()
  @IsIn(POOLERS, { message: `must be one of ${POOLERS.join(', ')}` })
  FAIRLEAD_DATABASE_POOLER?: Pooler;

  @IsOptional()
  @Length(1, 4096, { message: 'must be a path' })
  FAIRLEAD_DATA_DIR?: string;

  @IsOptional()
  @IsListen()
  FAIRLEAD_LISTEN?: string;

  @IsOptional()
  @Holds('must be an http or https URL of scheme, host and port alone', isOrigin)
  FAIRLEAD_PUBLIC_URL?: string;

  @IsOptional()
  @IsListen()
  @Holds('must listen on every address or on loopback, since a local drain must reach it', (text) => {
    const listen = parseListen(text);
    return listen === undefined || isLocallyReachable(listen);
  })
  FAIRLEAD_INTERNAL_LISTEN?: string;

  @IsOptional()
  @Holds(
    'must be an http or https URL of scheme, host and port alone, or an IP address',
    (text) => (isIP(text) !== 0 && !text.includes('%')) || isOrigin(text),
  )
  FAIRLEAD_ADVERTISE_URL?: string;

  @IsOptional()
  @IsClusterSecret()
  FAIRLEAD_CLUSTER_SECRET?: string;

  @IsOptional()
  @IsClusterSecret()
  FAIRLEAD_CLUSTER_SECRET_PREVIOUS?: string;

  @IsOptional()
  @IsIn(INTERNAL_TLS_MODES, { message: `must be one of ${INTERNAL_TLS_MODES.join(', ')}` })
  FAIRLEAD_INTERNAL_TLS?: InternalTlsMode;

  @IsOptional()
  @Length(1, PEM_CHARACTERS, { message: PEM_RULE })
  FAIRLEAD_INTERNAL_TLS_CERT?: string;

  @IsOptional()
  @Length(1, PEM_CHARACTERS, { message: PEM_RULE })
  FAIRLEAD_INTERNAL_TLS_KEY?: string;

  @IsOptional()
  @Length(1, PEM_CHARACTERS, { message: PEM_RULE })
  FAIRLEAD_INTERNAL_TLS_CA?: string;

  @IsOptional()
  @Obeys((text) => {
    const read = readSealKeys(text);
    return 'rule' in read ? read.rule : undefined;
  })
  FAIRLEAD_SEAL_KEYS?: string;

  @IsOptional()
  @Obeys((text) => {
    const read = readSealKeys(text);
    return 'rule' in read ? read.rule : undefined;
  })
  FAIRLEAD_SESSION_SECRETS?: string;

  @IsOptional()
  @Holds('must be an https URL without a query, or an http one on loopback', isIssuer)
  FAIRLEAD_OIDC_ISSUER?: string;

  @IsOptional()
  @Length(1, 512, { message: 'must be 1 to 512 characters' })
  FAIRLEAD_OIDC_CLIENT_ID?: string;

  @IsOptional()
  @Length(1, 4096, { message: 'must be 1 to 4096 characters' })
  FAIRLEAD_OIDC_CLIENT_SECRET?: string;

  @IsOptional()
  @Obeys((text) => {
    const read = readAllowList(text);
    return 'rule' in read ? read.rule : undefined;
  })
  FAIRLEAD_OIDC_ALLOW?: string;

  @IsOptional()
  @IsSeconds(1, 3600)
  FAIRLEAD_DRAIN_DEADLINE_S?: string;

  @IsOptional()
  @IsSeconds(0, 3600)
  FAIRLEAD_DRAIN_LINGER_S?: string;

  @IsOptional()
  @IsBrokersPerS()
  FAIRLEAD_ADMISSIONS_PER_S?: string;

  @IsOptional()
  @IsBrokersPerS()
  FAIRLEAD_MOVE_BUDGET?: string;

  @IsOptional()
  @Holds(
    'must be addresses, or networks such as 10.0.0.0/8, with commas between',
    (text) => readNetworks(text) !== undefined,
  )
  FAIRLEAD_TRUSTED_PROXIES?: string;

  @IsOptional()
  @Holds('must be http or https URLs of scheme, host and port alone, with commas between', (text) =>
    text.split(',').every((part) => isOrigin(part.trim())),
  )
  FAIRLEAD_CORS_ORIGINS?: string;

  @IsOptional()
  @IsIn(FIRST_BOOTS, { message: `must be one of ${FIRST_BOOTS.join(', ')}` })
  FAIRLEAD_FIRST_BOOT?: FirstBootShows;

  @IsOptional()
  @Obeys((text) => {
    const read = readRateLimits(text);
    return 'rule' in read ? read.rule : undefined;
  })
  FAIRLEAD_RATE_LIMITS?: string;

  @IsOptional()
  @IsIn(SWITCH, { message: `must be one of ${SWITCH.join(', ')}` })
  FAIRLEAD_CLAIM_AHEAD?: Switch;

  @IsOptional()
  @IsIn(STRAY_POLICIES, { message: `must be one of ${STRAY_POLICIES.join(', ')}` })
  FAIRLEAD_ORPHAN_RUNS?: StrayPolicy;

  @IsOptional()
  @IsIn(STRAY_POLICIES, { message: `must be one of ${STRAY_POLICIES.join(', ')}` })
  FAIRLEAD_STRANGER_RUNS?: StrayPolicy;

  @IsOptional()
  @Holds(
    `must be a whole number of days from ${HISTORY_DAYS.least} to ${HISTORY_DAYS.most}`,
    (text) =>
      /^\d{1,9}$/.test(text) && Number(text) >= HISTORY_DAYS.least && Number(text) <= HISTORY_DAYS.most,
  )
  FAIRLEAD_HISTORY_DAYS?: string;

  @IsOptional()
  @IsIn(SWITCH, { message: `must be one of ${SWITCH.join(', ')}` })
  FAIRLEAD_RETENTION?: Switch;

  @IsOptional()
  @IsIn(SWITCH, { message: `must be one of ${SWITCH.join(', ')}` })
  FAIRLEAD_PEER_WAKES?: Switch;

  @IsOptional()
  @IsIn(LOG_LEVELS, { message: `must be one of ${LOG_LEVELS.join(', ')}` })
  FAIRLEAD_LOG_LEVEL?: LogLevel;

  @IsOptional()
  @Matches(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, {
    message: 'must be at most 128 letters, digits, dots, dashes and underscores',
  })
  FAIRLEAD_REPLICA_NAME?: string;
}

export type VariableName = keyof Environment;

/** Read off the class, so that a variable is known exactly where it has rules. */
export const VARIABLES: readonly VariableName[] = [
  ...new Set(
    getMetadataStorage()
      .getTargetValidationMetadatas(Environment, '', false, false)
      .map(({ propertyName }) => propertyName as VariableName),
  ),
];

/** What is sent there is secret: only on this machine it may be readable on the way. */
function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const isBare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  const isLocal = isLocallyReachable({ host: url.hostname.replace(/^\[|\]$/g, ''), port: 0 });
  return isBare && (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal));
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return /^https?:$/.test(url.protocol) && url.pathname === '/' && bare;
}
