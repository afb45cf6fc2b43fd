import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { ProcessSpec } from '../../protocol/op.js';
import { Sealer } from '../auth/sealer.js';
import { EnvironmentUnopened } from './agents.errors.js';
import { namesOf, SealedSpecs } from './sealed-specs.js';

const [older, newer] = [randomBytes(32), randomBytes(32)];
const ID = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
const spec = { command: 'sh', environment: { TOKEN: 'planted-secret', EMPTY: '' } } as unknown as ProcessSpec;
const specsWith = (...ring: Buffer[]) => new SealedSpecs(new Sealer(ring));

describe('the spec of an agent at rest', () => {
  it('tells the names of its environment and none of the values', () => {
    const stored = specsWith(older).seal(ID, spec);

    expect(JSON.stringify(stored)).not.toContain('planted-secret');
    expect(stored).toMatchObject({ command: 'sh' });
    expect(namesOf(stored)).toEqual(['TOKEN', 'EMPTY']);
  });

  it('is opened after the key was rotated, for the agent that it was sealed for', () => {
    const stored = specsWith(older).seal(ID, spec);

    expect(specsWith(newer, older).open(ID, stored)).toEqual(spec);
    expect(() => specsWith(newer, older).open(ID.replace('33', '34'), stored)).toThrow(EnvironmentUnopened);
  });

  it('is opened by nobody once the key is gone, and tells its names all the same', () => {
    const stored = specsWith(older).seal(ID, spec);

    expect(() => specsWith(newer).open(ID, stored)).toThrow(EnvironmentUnopened);
    expect(namesOf(stored)).toEqual(['TOKEN', 'EMPTY']);
  });

  it('is read where it stands in clear', () => {
    expect(specsWith(older).open(ID, spec)).toEqual(spec);
    expect(namesOf(spec)).toEqual(['TOKEN', 'EMPTY']);
  });

  it('is kept as it is where the environment is empty', () => {
    const bare = { ...spec, environment: {} };

    expect(specsWith(older).seal(ID, bare)).toBe(bare);
  });
});
