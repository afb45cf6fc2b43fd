import { describe, expect, it } from '@jest/globals';
import {
  AGENT_TOKENS_PATH,
  AGENTS_CAPABILITY,
  ATTACHMENTS_CAPABILITY,
  CONTROL_PATH,
  JOIN_PATH,
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
});
