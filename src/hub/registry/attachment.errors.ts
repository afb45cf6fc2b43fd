import { CodedError } from '../problems/coded.error.js';

/** Where else it is attached is not told: that project may not be the caller's to see. */
export class AttachmentConflict extends CodedError {
  constructor() {
    super('attachment_conflict');
  }
}

export class AttachmentRevoked extends CodedError {
  constructor() {
    super('attachment_revoked');
  }
}

export class BrokerNotAttached extends CodedError {
  constructor() {
    super('broker_not_attached');
  }
}
