import { LIMITS } from '../../protocol/limits.js';
import { CodedError } from '../problems/coded.error.js';

export class RenameRefused extends CodedError {
  constructor() {
    super('broker_name_taken', 'Another broker has this name.');
  }
}

export class TooManyLabels extends CodedError {
  constructor() {
    const rule = `must leave the broker at most ${LIMITS.labels} labels, its own among them, or no more than it has`;
    super('request_invalid', undefined, { fields: [{ path: 'labels', rule }] });
  }
}

/** No new agents are placed on it. */
export class BrokerCordoned extends CodedError {
  constructor() {
    super('broker_cordoned');
  }
}

/** Nothing is started on it. */
export class BrokerDraining extends CodedError {
  constructor() {
    super('broker_draining');
  }
}

/** Nobody holds a link of it. */
export class BrokerNotConnected extends CodedError {
  constructor() {
    super('broker_offline', undefined, { retryAfterS: 5 });
  }
}
