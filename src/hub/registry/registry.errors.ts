import { CodedError } from '../problems/coded.error.js';

/** Another broker has the name, or the machine is known already; which of them is not told. */
export class BrokerNameTaken extends CodedError {
  constructor() {
    super('broker_name_taken', 'A broker of this name cannot join with this credential.');
  }
}

export class BrokerRevoked extends CodedError {
  constructor() {
    super('broker_revoked');
  }
}

/** As many brokers as this replica lets in within a second have come already. */
export class AdmissionBudgetSpent extends CodedError {
  constructor(retryAfterS: number) {
    super('admission_budget_spent', undefined, { retryAfterS });
  }
}

/** Nobody holds it: its replica is gone, or it was ended, or a newer one took its place. */
export class ConnectionLost extends CodedError {
  constructor() {
    super('connection_lost');
  }
}

/** A poll whose numbers fit neither what was sent nor what was taken. */
export class PollOutOfStep extends CodedError {
  constructor(path: 'first' | 'received', rule: string) {
    super('request_invalid', undefined, { fields: [{ path, rule }] });
  }
}

export class ReplicaDraining extends CodedError {
  constructor() {
    super('draining', undefined, { retryAfterS: 1 });
  }
}

/** Others have replaced it since, or a newer connection has. */
export class CapabilitiesStale extends CodedError {
  constructor(stored: number) {
    super('revision_stale', `Revision ${stored} is on record: tell a greater one on the newest link.`);
  }
}

export class ProtocolUnsupported extends CodedError {
  constructor(
    range: { min: number; max: number },
    message = `This hub speaks versions ${range.min} to ${range.max}.`,
  ) {
    super('protocol_unsupported', message, {
      members: { range },
    });
  }
}
