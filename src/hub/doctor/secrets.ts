import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { secretsDir } from '../config/secrets.js';
import type { BrokenRule } from '../config/config.error.js';
import type { HubConfig } from '../config/hub-config.js';
import { found, type Finding } from './finding.js';

const SECRETS = ['FAIRLEAD_CLUSTER_SECRET', 'FAIRLEAD_CLUSTER_SECRET_PREVIOUS', 'FAIRLEAD_SEAL_KEYS'];
/** Of 32 bytes by chance so few differ once in many millions of millions. */
const DISTINCT_LEAST = 16;
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

/** Secrets that the hub takes, and that are none for somebody who tries. */
export function weakSecrets(config: Pick<HubConfig, 'clusterSecrets' | 'sealKeys'>): Finding[] {
  const cluster = config.clusterSecrets ?? [];
  const seal = config.sealKeys ?? [];
  const guessable = (keys: readonly Buffer[], variable: string) =>
    keys.some((key) => new Set(key).size < DISTINCT_LEAST)
      ? [
          found(
            'secret_guessable',
            `${variable} has a secret that does not look as if it were made by chance`,
          ),
        ]
      : [];
  const isShared = cluster.some((secret) => seal.some((key) => key.equals(secret)));
  return [
    ...guessable(cluster, 'FAIRLEAD_CLUSTER_SECRET'),
    ...guessable(seal, 'FAIRLEAD_SEAL_KEYS'),
    ...(isShared
      ? [found('secret_reused', 'FAIRLEAD_CLUSTER_SECRET is one of FAIRLEAD_SEAL_KEYS as well')]
      : []),
  ];
}

/** Files with secrets that others of this machine may read: those that variables name, and those of the data directory. */
export function openSecrets(env: NodeJS.ProcessEnv, dataDir: string): Finding[] {
  const named = [...SECRETS, 'DATABASE_URL', 'DATABASE_DIRECT_URL'].flatMap((name) => {
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
