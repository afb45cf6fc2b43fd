/**
 * What can go wrong for whoever starts a broker, each with one stable code. Messages are for people; none
 * carries a token, a key or the body of an answer.
 */
export abstract class BrokerFault extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class AlreadyJoined extends BrokerFault {
  readonly code = 'broker_already_joined';

  constructor(home: string, brokerName: string) {
    super(`${home} already holds the credential of broker "${brokerName}"; use another --home to join again`);
  }
}

export class NotJoined extends BrokerFault {
  readonly code = 'broker_not_joined';

  constructor(home: string) {
    super(`${home} holds no credential; run "fairlead broker join <url> --token <token>" first`);
  }
}

export class HomeInUse extends BrokerFault {
  readonly code = 'broker_home_in_use';

  constructor(
    home: string,
    readonly holderPid: number,
  ) {
    super(`another broker (process ${holderPid}) is using ${home}`);
  }
}

export class HomeUnreadable extends BrokerFault {
  readonly code = 'broker_home_unreadable';
}

/** The hub said no to a join; the code is the hub's own. */
export class JoinRefused extends BrokerFault {
  constructor(
    readonly code: string,
    readonly status: number,
    detail: string,
  ) {
    super(`the hub refused the join (${status} ${code}): ${detail}`);
  }
}

/** The hub said no to another key; the code is the hub's own. */
export class RotationRefused extends BrokerFault {
  constructor(
    readonly code: string,
    readonly status: number,
    detail: string,
  ) {
    super(`the hub refused the rotation of the key (${status} ${code}): ${detail}`);
  }
}

/** The hub gives an agent of this broker no credential; the code is the hub's own. */
export class AgentTokenRefused extends BrokerFault {
  constructor(
    readonly code: string,
    readonly status: number,
    detail: string,
    /** How long the hub wants not to be asked; null where it does not say. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(`the hub refused the credential of the agent (${status} ${code}): ${detail}`);
  }
}

/** No run of the agent goes on at this broker. */
export class AgentNotRunning extends BrokerFault {
  readonly code = 'agent_not_running';

  constructor(agentId: string) {
    super(`no run of the agent ${agentId} goes on at this broker`);
  }
}

export class RotationUnderWay extends BrokerFault {
  readonly code = 'broker_rotation_under_way';

  constructor(home: string, holderPid: number) {
    super(`process ${holderPid} rotates the key in ${home} at this moment`);
  }
}

/** A replica of a release that takes a new key without ending the one before; both are kept. */
export class KeyUnconfirmed extends BrokerFault {
  readonly code = 'broker_key_unconfirmed';

  constructor() {
    super('the replica that was asked is of a release that confirms no key; both keys are kept');
  }
}

export class HubUnreachable extends BrokerFault {
  readonly code = 'hub_unreachable';
}

/** What OpenTelemetry's own variables say cannot work; names them, and never a value. */
export class TracingMisconfigured extends BrokerFault {
  readonly code = 'broker_tracing_invalid';

  constructor(broken: readonly { variable: string; rule: string }[]) {
    super(broken.map(({ variable, rule }) => `${variable} ${rule}`).join('; '));
  }
}

/** Another process with the same credential took this broker's place; two of them would do so for ever. */
export class BrokerDisplaced extends BrokerFault {
  readonly code = 'broker_displaced';

  constructor(home: string) {
    super(
      `another process uses the credential in ${home}: look for a copy of that folder on another machine`,
    );
  }
}
