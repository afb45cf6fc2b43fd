import type { Draft } from '../../src/hub/dispatch/draft.js';

/** A command for the broker `b` as it is before it is stored, with nothing about it that is not plain. */
export const plainDraft = (id: string, orderingKey: string | null = null): Draft => ({
  ...{
    id,
    orderingKey,
    projectId: null,
    endsRun: false,
    brokerId: 'b',
    agentId: null,
    op: 'broker.ping',
    args: {},
    argsBytes: 2,
    capability: null,
  },
  ...{
    lane: 'normal',
    deadlineS: 60,
    notBefore: null,
    contract: 'until',
    redriveOf: null,
    idempotency: null,
  },
  initiator: { kind: 'hub', id: 'h', name: 'h', credentialId: null, requestId: 'r' },
});
