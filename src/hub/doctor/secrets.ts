import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { secretsDir } from '../config/secrets.js';
import type { BrokenRule } from '../config/config.error.js';
import type { HubConfig } from '../config/hub-config.js';
import { endOf } from '../config/internal-tls.js';
import { found, type Finding } from './finding.js';

/** Of 32 bytes each, made here. */
const SECRETS = [
  'FAIRLEAD_CLUSTER_SECRET',
  'FAIRLEAD_CLUSTER_SECRET_PREVIOUS',
  'FAIRLEAD_SEAL_KEYS',
  'FAIRLEAD_SESSION_SECRETS',
];
/** What others make: any text. */
const GIVEN = [
  'FAIRLEAD_INTERNAL_TLS_KEY',
  'FAIRLEAD_OIDC_CLIENT_SECRET',
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
];
/** Of 32 bytes by chance so few differ once in many millions of millions. */
const DISTINCT_LEAST = 16;
/** Providers make far longer ones; whoever knows it can ask the provider in the name of the hub. */
const CLIENT_LEAST = { characters: 16, distinct: 8 };
const ENDS_SOON_MS = 7 * 24 * 3_600_000;
const FOR_OTHERS = 0o077;

/** Rules of the configuration that are broken, those of secrets under codes of their own. */
export function brokenRules(broken: readonly BrokenRule[]): Finding[] {
  return broken.map(({ variable, rule }) => found(codeOf(variable, rule), `${variable} ${rule}`));
}

function codeOf(variable: string, rule: string) {
  if (!SECRETS.includes(variable)) return 'config_broken';
  if (rule.startsWith('is required')) return 'secret_missing';
  return /\bweak\b/.test(rule) ? 'secret_weak' : 'secret_malformed';
}

type Secrets = Pick<HubConfig, 'clusterSecrets' | 'sealKeys' | 'sessionSecrets' | 'oidc'>;

/** Secrets that the hub takes, and that are none for somebody who tries. */
export function weakSecrets({ clusterSecrets, sealKeys, sessionSecrets, oidc }: Secrets): Finding[] {
  const made: [variable: string, keys: readonly Buffer[]][] = [
    ['FAIRLEAD_CLUSTER_SECRET', clusterSecrets ?? []],
    ['FAIRLEAD_SEAL_KEYS', sealKeys ?? []],
    ['FAIRLEAD_SESSION_SECRETS', sessionSecrets ?? []],
  ];
  const guessable = made.flatMap(([variable, keys]) =>
    keys.some((key) => new Set(key).size < DISTINCT_LEAST)
      ? [
          found(
            'secret_guessable',
            `${variable} has a secret that does not look as if it were made by chance`,
          ),
        ]
      : [],
  );
  return [...guessable, ...weakClientSecret(oidc?.clientSecret), ...reused(made, oidc?.clientSecret)];
}

/** One that has ended is no configuration at all. Who renews does so long before that. */
export function endingCertificate({ internalTls }: Pick<HubConfig, 'internalTls'>): Finding[] {
  if (internalTls === null) return [];
  const end = endOf(internalTls.pems);
  const leftMs = end.getTime() - Date.now();
  if (!(leftMs > 0 && leftMs <= ENDS_SOON_MS)) return [];
  return [
    found(
      'certificate_ending',
      `the certificate of FAIRLEAD_INTERNAL_TLS_CERT ends at ${end.toISOString()}, within 7 days`,
    ),
  ];
}

function weakClientSecret(secret: string | undefined): Finding[] {
  if (secret === undefined) return [];
  const isShort = secret.length < CLIENT_LEAST.characters;
  if (!isShort && new Set(secret).size >= CLIENT_LEAST.distinct) return [];
  return [
    found(
      'client_secret_guessable',
      `FAIRLEAD_OIDC_CLIENT_SECRET is ${isShort ? 'short' : 'of few different characters'}`,
    ),
  ];
}

/** Each two variables that have a secret in common. */
function reused(
  made: readonly (readonly [variable: string, keys: readonly Buffer[]])[],
  clientSecret: string | undefined,
): Finding[] {
  const uses = made.map(([variable, keys]) => ({ variable, texts: keys.map((key) => key.toString('hex')) }));
  if (clientSecret !== undefined) {
    uses.push({ variable: 'FAIRLEAD_OIDC_CLIENT_SECRET', texts: [clientSecret.toLowerCase()] });
  }
  return uses.flatMap((one, place) =>
    uses
      .slice(place + 1)
      .filter((other) => one.texts.some((text) => other.texts.includes(text)))
      .map((other) =>
        found('secret_reused', `${one.variable} and ${other.variable} have a secret in common`),
      ),
  );
}

/** Files with secrets that others of this machine may read: those that variables name, and those of the data directory. */
export function openSecrets(env: NodeJS.ProcessEnv, dataDir: string): Finding[] {
  const named = [...SECRETS, ...GIVEN].flatMap((name) => {
    const path = env[`${name}_FILE`]?.trim() ?? '';
    return path === '' ? [] : [{ path, whose: `the file that ${name}_FILE names` }];
  });
  const folder = secretsDir(dataDir);
  const kept = namesIn(folder).map((name) => ({ path: join(folder, name), whose: join(folder, name) }));
  return [...named, ...kept]
    .filter(({ path }) => isOpen(path))
    .map(({ whose }) => found('secret_open', `others on this machine can read ${whose}`));
}

/** What is not there, or not for us to see, is told by other checks. */
function isOpen(path: string): boolean {
  try {
    // The owner of a mounted secret is root, and its group the program's: that is how Kubernetes gives it.
    const { mode, uid } = statSync(path);
    return (mode & (uid === process.getuid?.() ? FOR_OTHERS : 0o007)) !== 0;
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
