import { describe, expect, it } from '@jest/globals';
import {
  AGENT_TOKENS_PATH,
  AGENTS_CAPABILITY,
  ATTACHMENTS_CAPABILITY,
  CONTROL_PATH,
  JOIN_PATH,
  negotiate,
  POLL_PATH,
  ROTATE_KEY_PATH,
} from './version.js';

describe('the wire of this version', () => {
  it('is found where brokers of every release look for it, and named as they name it', () => {
    expect([CONTROL_PATH, POLL_PATH, JOIN_PATH, ROTATE_KEY_PATH, AGENT_TOKENS_PATH]).toEqual([
      '/api/v1/control',
      '/api/v1/control/poll',
      '/api/v1/brokers/join',
      '/api/v1/brokers/rotate-key',
      '/api/v1/brokers/agent-tokens',
    ]);
    expect([ATTACHMENTS_CAPABILITY, AGENTS_CAPABILITY]).toEqual(['attachments', 'agents']);
  });

  it.each([
    [{ min: 1, max: 1 }, 1],
    [{ min: 1, max: 9 }, 1],
    [{ min: 2, max: 9 }, undefined],
    [{ min: 0, max: 0 }, undefined],
  ])('meets %j at %s', (theirs, version) => {
    expect(negotiate(theirs)).toBe(version);
  });
});
