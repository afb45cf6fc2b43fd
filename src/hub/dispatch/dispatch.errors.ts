import { CodedError, NotFound } from '../problems/coded.error.js';

export class DispatchNotFound extends NotFound {
  constructor() {
    super('dispatch');
  }
}

export class BrokerNotFound extends NotFound {
  constructor() {
    super('broker');
  }
}

/** The broker is connected, or was, and announced what it can do: this is not among it. */
export class BrokerUpgradeRequired extends CodedError {
  constructor(capability: string) {
    super('broker_upgrade_required', `The broker does not have the capability ${capability}.`);
  }
}

/** The connection broke while a command was being committed, and it could not be found out whether it was. */
export class OutcomeUnknown extends CodedError {
  constructor(dispatchId: string, cause: unknown) {
    super('outcome_unknown', undefined, { members: { dispatchId }, retryAfterS: 1, cause });
  }
}

/** The connection broke while commands were being done again, and it could not be found out whether they are on record. */
export class RedriveInDoubt extends CodedError {
  constructor(dispatchIds: readonly string[], cause: unknown) {
    super('outcome_unknown', 'The database went away while commands were being done again.', {
      members: { dispatchIds },
      retryAfterS: 1,
      cause,
    });
  }
}

/** The command was to go out at once or not at all. */
export class BrokerOffline extends CodedError {
  constructor() {
    super('broker_offline', undefined, { retryAfterS: 5 });
  }
}

/** As many commands, or bytes of them, wait to be stored by this replica as may. */
export class Overloaded extends CodedError {
  constructor() {
    super('overloaded', undefined, { retryAfterS: 1 });
  }
}

/** As many lists wait for the database at this replica as may, or this one has waited for as long as it may. */
export class ListsBusy extends CodedError {
  constructor() {
    super('lists_busy', undefined, { retryAfterS: 2 });
  }
}

/** As many commands wait for the broker as may. */
export class BacklogFull extends CodedError {
  constructor(depth: number) {
    super('backlog_full', undefined, { retryAfterS: 5, members: { depth } });
  }
}

export class NotRedrivable extends CodedError {
  constructor(message: string) {
    super('not_redrivable', message);
  }
}
