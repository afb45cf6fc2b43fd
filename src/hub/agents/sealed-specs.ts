import { Injectable } from '@nestjs/common';
import type { ProcessSpec } from '../../protocol/op.js';
import { Sealer } from '../auth/sealer.js';
import { EnvironmentUnopened } from './agents.errors.js';

const PURPOSE = 'agent environment';

/** Names as they are, and all values together, sealed for the one agent. No variable can have such a name. */
export type SealedEnvironment = { $names: string[]; $sealed: string };

/** A spec as its row has it. The environment is in clear where it is empty, or from before values were sealed. */
export type StoredSpec = Omit<ProcessSpec, 'environment'> & {
  environment: SealedEnvironment | Record<string, string>;
};

/**
 * Keeps the values of an agent's environment out of its row: they are sealed when the agent is put on record, and
 * opened when a command takes them along, which seals them for itself.
 */
@Injectable()
export class SealedSpecs {
  constructor(private readonly sealer: Sealer) {}

  seal(agentId: string, spec: ProcessSpec): StoredSpec {
    const names = Object.keys(spec.environment);
    if (names.length === 0) return spec;
    const values = Buffer.from(JSON.stringify(Object.values(spec.environment)));
    const sealed = this.sealer.seal(PURPOSE, agentId, values).toString('base64');
    return { ...spec, environment: { $names: names, $sealed: sealed } };
  }

  /** @throws EnvironmentUnopened where no key of the ring sealed it for this agent */
  open(agentId: string, spec: StoredSpec): ProcessSpec {
    const { environment } = spec;
    if (!isSealed(environment)) return { ...spec, environment };
    const values = this.valuesOf(agentId, environment);
    const entries = environment.$names.map((name, place): [string, string] => [name, values[place] ?? '']);
    return { ...spec, environment: Object.fromEntries(entries) };
  }

  private valuesOf(agentId: string, { $sealed }: SealedEnvironment): string[] {
    try {
      const values = this.sealer.open(PURPOSE, agentId, Buffer.from($sealed, 'base64'));
      return JSON.parse(values.toString()) as string[];
    } catch (error) {
      throw new EnvironmentUnopened(error);
    }
  }
}

/** The names of the variables, in the order in which they were given. */
export function namesOf({ environment }: Pick<StoredSpec, 'environment'>): string[] {
  return isSealed(environment) ? environment.$names : Object.keys(environment);
}

function isSealed(environment: StoredSpec['environment']): environment is SealedEnvironment {
  return '$sealed' in environment;
}
