export const ID = '0198b2c0-0000-7000-8000-00000000abcd';
const OTHER = '0198b2c0-0000-7000-8000-00000000abce';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** A frame of each type with everything that it may carry. */
export const FRAMES = {
  hello: {
    t: 'hello',
    protocol: { min: 1, max: 2 },
    bootId: ID,
    journalId: OTHER,
    lastEpoch: 0,
    software: 'it/1',
    capabilities: ['a'],
    labels: { zone: 'b' },
    window: 64,
    health: 'online',
    standby: true,
  },
  promote: { t: 'promote', lastEpoch: 3, capabilities: ['a'], health: 'online' },
  inventory: { t: 'inventory', entries: [{ id: ID, attempt: 1, status: 'running' }], last: true },
  heartbeat: { t: 'heartbeat', health: 'degraded', load: 0.5, running: 0, agents: 'a1'.repeat(32) },
  ack: { t: 'ack', acks: [{ id: ID, attempt: 1 }] },
  succeeded: { t: 'result', results: [{ id: ID, attempt: 1, outcome: 'succeeded', body: { a: [1] } }] },
  failed: {
    t: 'result',
    results: [
      {
        id: ID,
        attempt: 1,
        outcome: 'failed',
        error: { code: 'c', message: 'm', retryable: false, data: { a: 1 } },
      },
    ],
  },
  cancelled: { t: 'result', results: [{ id: ID, attempt: 1, outcome: 'cancelled' }] },
  event: {
    t: 'event',
    agents: [{ agentId: ID, runId: OTHER, phase: 'running', exitCode: 1, detail: 'd', restarts: 2 }],
    list: 'part',
  },
  progress: { t: 'progress', progress: [{ id: ID, attempt: 1, fraction: 0.5, note: 'n' }] },
  capabilities: { t: 'capabilities', revision: 2, capabilities: ['a'] },
  goodbye: { t: 'goodbye', reason: 'r' },
  welcome: {
    t: 'welcome',
    connectionId: ID,
    brokerId: OTHER,
    epoch: 1,
    protocol: 1,
    heartbeatMs: 1,
    livenessMs: 2,
    limits: { frameBytes: 1, resultBytes: 2, window: 3 },
    hubVersion: 'v',
    hubTime: 'now',
    alternatives: ['https://a'],
    attachments: [{ project: ID, name: 'p', state: 'online', readOnly: false }],
    capabilitiesRevision: 1,
  },
  standby_ok: { t: 'standby_ok', connectionId: ID, livenessMs: 1, alternatives: ['https://a'] },
  attachment: {
    t: 'attachment',
    attachments: [{ project: ID, name: 'p', state: 'revoked', readOnly: true }],
  },
  inventory_ok: { t: 'inventory_ok' },
  agents_wanted: { t: 'agents_wanted' },
  heartbeat_ack: { t: 'heartbeat_ack', hubTime: 'now', alternatives: ['https://a'] },
  dispatch: {
    t: 'dispatch',
    dispatches: [
      { id: ID, attempt: 1, op: 'o', args: { a: 1 }, key: 'k', remainingMs: 0, traceparent: TRACE },
    ],
  },
  cancel: { t: 'cancel', cancels: [{ id: ID, attempt: 2 }] },
  confirm: { t: 'confirm', ids: [ID] },
  capabilities_ack: {
    t: 'capabilities_ack',
    revision: 1,
    stored: 2,
    error: { code: 'revision_stale', message: 'm' },
  },
  going_away: { t: 'going_away', reason: 'r', deadlineMs: 0, slotMs: 0, alternatives: [] },
} as const;
