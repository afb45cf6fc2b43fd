import { EXIT, type ExitCode } from './exit-code.js';

/** What people and programs are told of a failure: a problem document, the hub's own or one in its likeness. */
export type FaultDocument = {
  title: string;
  code: string;
  detail?: string;
  remedy?: string;
  status?: number;
  requestId?: string;
  fields?: { path: string; rule: string }[];
  /** The command that is on record in spite of the failure. */
  dispatchId?: string;
  /** Under which what may be on record is asked for again, and is done once. */
  idempotencyKey?: string;
  [extra: string]: unknown;
};

/** A failure with an exit code of its own and something to tell about it; never a token. */
export class Fault extends Error {
  constructor(
    readonly document: FaultDocument,
    readonly exitCode: ExitCode,
    options?: ErrorOptions,
  ) {
    super(document.detail ?? document.title, options);
    this.name = new.target.name;
  }
}

export class NotLoggedIn extends Fault {
  constructor(detail: string) {
    const remedy = 'Log in with `fairlead login <url>`, or give --url and --token.';
    super({ title: 'Not logged in', code: 'not_logged_in', detail, remedy }, EXIT.credential);
  }
}

/** What only an agent can ask was asked from elsewhere. */
export class NoAgent extends Fault {
  constructor(detail: string) {
    const remedy =
      'Run it in an agent, whose broker names both in its environment; a new run has its file within seconds.';
    super({ title: 'Not within an agent', code: 'no_agent', detail, remedy }, EXIT.credential);
  }
}

/** What the command was given on its line cannot be meant. */
export class UsageFault extends Fault {
  constructor(detail: string) {
    const remedy = 'See what the command takes: the same with --help.';
    super({ title: 'The command line is malformed', code: 'usage', detail, remedy }, EXIT.usage);
  }
}

/** Something kept on this machine, or in the environment, is not usable. */
export class ConfigFault extends Fault {
  constructor(
    told: { detail?: string; remedy: string; fields?: { path: string; rule: string }[] },
    options?: ErrorOptions,
  ) {
    super({ title: 'The configuration is not usable', code: 'configuration', ...told }, EXIT.config, options);
  }
}
