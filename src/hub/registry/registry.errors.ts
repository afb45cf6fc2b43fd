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

export class ReplicaDraining extends CodedError {
  constructor() {
    super('draining', undefined, { retryAfterS: 1 });
  }
}

export class ProtocolUnsupported extends CodedError {
  constructor(range: { min: number; max: number }) {
    super('protocol_unsupported', `This hub speaks versions ${range.min} to ${range.max}.`, {
      members: { range },
    });
  }
}
