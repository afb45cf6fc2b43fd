import type { BrokerError } from '../../protocol/frame.js';
import { CodedError, NotFound } from '../problems/coded.error.js';
import type { AgentRow } from './agent.repository.js';
import type { Refusal } from './phase.js';

export class AgentNotFound extends NotFound {
  constructor() {
    super('agent');
  }
}

export class AgentNameTaken extends CodedError {
  constructor() {
    super('agent_name_taken');
  }
}

/** The connection broke while an agent was being put on record, or deleted, and it could not be found out whether it was. */
export class AgentInDoubt extends CodedError {
  constructor(agentId: string, act: 'put on record' | 'deleted', cause: unknown) {
    super('outcome_unknown', `The database went away while the agent was being ${act}.`, {
      members: { agentId },
      retryAfterS: 1,
      cause,
    });
  }
}

/** No key of this replica's ring sealed the agent's environment. */
export class EnvironmentUnopened extends CodedError {
  constructor(cause: unknown) {
    super('environment_unopened', undefined, { cause });
  }
}

/** The agent is in a phase in which the verb makes no sense. */
export class VerbRefused extends CodedError {
  constructor(refusal: Refusal, { phase, updatedAt, dispatchId }: AgentRow) {
    super(refusal, `The agent is ${phase} since ${updatedAt.toISOString()}.`, {
      members: { phase, dispatchId },
    });
  }
}

/** Of the runs that the agent has had, it is not the one that goes on. */
export class AgentRunOver extends CodedError {
  constructor() {
    super('agent_run_over');
  }
}

/** A project has more agents than one message goes to. */
export class TooManyRecipients extends CodedError {
  constructor(most: number) {
    super('too_many_recipients', `A message goes to at most ${most} agents of a project.`, {
      members: { most },
    });
  }
}

export class OpFailed extends CodedError {
  constructor(brokerError: BrokerError) {
    super('op_failed', brokerError.message, { members: { brokerError } });
  }
}

export class BrokerSilent extends CodedError {
  constructor(dispatchId: string) {
    super('broker_silent', undefined, { members: { dispatchId }, retryAfterS: 5 });
  }
}
