import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Sealer } from '../auth/sealer.js';
import { SealedArgs } from './sealed-args.js';

const [older, newer] = [randomBytes(32), randomBytes(32)];
const ID = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
const args = { name: 'web', spec: { command: 'sh', environment: { TOKEN: 'planted-secret' } } };

describe('arguments at rest', () => {
  it('hold no secret, and everything else as it was', () => {
    const sealed = new SealedArgs(new Sealer([older])).seal('agent.start', ID, args);

    expect(JSON.stringify(sealed)).not.toContain('planted-secret');
    expect(sealed).toMatchObject({ name: 'web', spec: { command: 'sh' } });
  });

  it('are opened after the key was rotated, for the command that they were sealed for', () => {
    const sealed = new SealedArgs(new Sealer([older])).seal('agent.start', ID, args);
    const rotated = new SealedArgs(new Sealer([newer, older]));

    expect(rotated.open('agent.start', ID, sealed)).toEqual(args);
    expect(() => rotated.open('agent.start', ID.replace('33', '34'), sealed)).toThrow();
  });

  it('are opened by nobody once the key is gone', () => {
    const sealed = new SealedArgs(new Sealer([older])).seal('agent.start', ID, args);

    expect(() => new SealedArgs(new Sealer([newer])).open('agent.start', ID, sealed)).toThrow();
  });

  it.each([
    ['an op without secrets', 'broker.ping'],
    ['an op that nobody knows', 'later.op'],
  ])('of %s are kept as they are', (_what, op) => {
    expect(new SealedArgs(new Sealer([older])).seal(op, ID, args)).toBe(args);
  });

  it('without the secret field are kept as they are', () => {
    const bare = { name: 'web', spec: { command: 'sh' } };

    expect(new SealedArgs(new Sealer([older])).seal('agent.start', ID, bare)).toEqual(bare);
  });
});
