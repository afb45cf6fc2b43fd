import { describe, expect, it } from '@jest/globals';
import { agentsDigestText } from './agents-digest.js';

const [A, B] = ['0199f1a2-7c44-4e11-9d5e-444444444444', '0199f1a2-7c44-4e11-9d5e-aaaaaaaaaaaa'];
const RUN = '0199f1a2-7c44-4e11-9d5e-555555555555';

describe('what the digest of agents is made of', () => {
  it('is a line for each in the order of their ids, however they are told', () => {
    const agents = [
      { agentId: B, runId: RUN, phase: 'stopped' },
      { agentId: A, runId: RUN, phase: 'running' },
    ] as const;
    const text = `${A} ${RUN} running\n${B} ${RUN} stopped\n`;

    expect(agentsDigestText(agents)).toBe(text);
    expect(agentsDigestText([...agents].reverse())).toBe(text);
  });

  it('is nothing where there are none', () => {
    expect(agentsDigestText([])).toBe('');
  });
});
