import { readFileSync } from 'node:fs';
import type { BrokenRule } from './config.error.js';
import { Environment, VARIABLES, type VariableName } from './environment.js';
import { nearest } from './nearest.js';

/** Variables of Fairlead's other programs, which often share an environment with the hub. */
const OTHERS = ['FAIRLEAD_URL', 'FAIRLEAD_TOKEN', 'FAIRLEAD_HOME', 'FAIRLEAD_JOIN_TOKEN'] as const;

/**
 * What is not ours to judge: the broker's variables, those that it gives its agents, and those that Kubernetes puts into every pod
 * beside a service whose name begins with `fairlead`.
 */
const TOLERATED = [
  /^FAIRLEAD_BROKER_/,
  /^FAIRLEAD_(AGENT_(ID|NAME|URL|TOKEN_FILE)|RUN_ID)$/,
  /^FAIRLEAD_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)$/,
  /^FAIRLEAD_(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/,
];

export type Collected = {
  environment: Environment;
  /** Of those that were given as files, where these are. */
  files: Partial<Record<VariableName, string>>;
  broken: BrokenRule[];
};

/**
 * Collects each variable from the environment or from the file that `NAME_FILE` names, as text without the space
 * around it. An empty variable counts as not given, since templates leave them behind.
 */
export function collect(env: NodeJS.ProcessEnv): Collected {
  const environment = new Environment();
  const files: Collected['files'] = {};
  const broken = unknownNames(env);
  for (const name of VARIABLES) {
    const direct = given(env[name]);
    const path = given(env[`${name}_FILE`]);
    if (direct !== undefined && path !== undefined) {
      broken.push({ variable: `${name}_FILE`, rule: `must not be given together with ${name}` });
      continue;
    }
    const text = path === undefined ? direct : contentOf(path);
    if (text === null) broken.push({ variable: `${name}_FILE`, rule: 'must name a readable file' });
    else if (text === '') broken.push({ variable: `${name}_FILE`, rule: 'must name a file with content' });
    else if (text !== undefined) Object.assign(environment, { [name]: text });
    if (path !== undefined) files[name] = path;
  }
  return { environment, files, broken };
}

/** A variable of ours that nothing reads is a typo, and what it was to say would silently not hold. */
function unknownNames(env: NodeJS.ProcessEnv): BrokenRule[] {
  const known: string[] = [...VARIABLES.flatMap((name) => [name, `${name}_FILE`]), ...OTHERS];
  return Object.keys(env)
    .filter((name) => name.startsWith('FAIRLEAD_') && !known.includes(name))
    .filter((name) => !TOLERATED.some((pattern) => pattern.test(name)))
    .sort()
    .map((name) => {
      const meant = nearest(name, known);
      return {
        variable: name,
        rule: meant === undefined ? 'is not known' : `is not known; did you mean ${meant}?`,
      };
    });
}

function given(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === '' ? undefined : text;
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Reported by the caller, without the path: a secret pasted into NAME_FILE would be shown.
    return null;
  }
}
