import type { AgentDto } from '../../../src/hub/agents/dto/agent.dto.js';
import type { DispatchDto, DispatchEnvelopeDto } from '../../../src/hub/dispatch/dto/dispatch.dto.js';
import type { WhyDto } from '../../../src/hub/dispatch/dto/why.dto.js';

export const AGENT_ID = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
export const DISPATCH_ID = '0198f1a2-7c44-7e11-9d5e-aaaaaaaaaaaa';
const BROKER = { id: '0198f1a2-7c44-7e11-9d5e-bbbbbbbbbbbb', name: 'build-1' };

/** The answer to who asks for strays where there are none. */
export const NO_STRAYS = { body: { items: [], nextCursor: null } };

/** A time that is so many seconds past. */
export const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000 - 300).toISOString();

export function anAgent(given: Partial<AgentDto> = {}): AgentDto {
  return {
    id: AGENT_ID,
    name: 'web',
    project: null,
    broker: BROKER,
    runtime: 'process',
    spec: {
      command: 'sleep',
      args: ['60'],
      directory: null,
      environment: [],
      limits: {
        memoryMb: null,
        residentMb: null,
        processes: null,
        openFiles: null,
        cpuSeconds: null,
        wallSeconds: null,
        outputMb: null,
      },
      restart: { policy: 'never', maxRestarts: 10 },
    },
    wanted: 'running',
    phase: 'running',
    runId: null,
    dispatchId: null,
    exitCode: null,
    detail: null,
    restarts: 0,
    revision: 1,
    createdAt: ago(7_300),
    updatedAt: ago(200),
    ...given,
  };
}

export function aDispatch(given: Partial<DispatchDto> = {}): DispatchEnvelopeDto {
  const state = given.state ?? 'succeeded';
  const isLive = ['pending', 'claimed', 'running'].includes(state);
  const dispatch: DispatchDto = {
    id: DISPATCH_ID,
    op: 'agent.start',
    state,
    lane: 'normal',
    project: null,
    broker: BROKER,
    agent: AGENT_ID,
    orderingKey: AGENT_ID,
    attempt: 1,
    failures: 0,
    contract: 'until',
    notBefore: null,
    cancel: null,
    redriveOf: null,
    createdAt: ago(2),
    deadlineAt: ago(-900),
    endedAt: isLive ? null : ago(1),
    progress: null,
    position: isLive ? 0 : null,
    reason: isLive ? 'The broker is not connected; it is sent when the broker comes back.' : null,
    result: null,
    error: null,
    ...given,
  };
  return { dispatch };
}

export function aWhy(given: Partial<WhyDto> = {}): WhyDto {
  return {
    id: DISPATCH_ID,
    state: 'pending',
    cause: 'held_by_order',
    explanation: 'An earlier command comes first.',
    unblocks: 'That one ends.',
    holder: { replica: AGENT_ID, name: 'hub-0', state: 'active', epoch: 7 },
    position: 3,
    blockedBy: AGENT_ID,
    facts: [
      { name: 'deadline', value: null, at: ago(-600), ageS: -600 },
      { name: 'attempt', value: '0', at: null, ageS: null },
      { name: 'blocking command', value: 'running', at: ago(200), ageS: 200 },
    ],
    ...given,
  };
}
