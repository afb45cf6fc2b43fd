/**
 * The variables of the environment that the command itself reads. `fairlead hub` hands the whole environment on to the
 * hub, which has many more; an agent gets what `--env` says.
 */
export const ENVIRONMENT = {
  FAIRLEAD_URL: 'the hub, or several replicas with commas between; --url goes before it',
  FAIRLEAD_TOKEN: 'the personal token; --token goes before it',
  FAIRLEAD_JOIN_TOKEN: 'the join token of `fairlead broker join`',
  FAIRLEAD_CONTEXT: 'which of the hubs that this user has logged in to; see `fairlead context`',
  FAIRLEAD_HOME: 'the folder of this user, where `fairlead login` stores the token (default: ~/.fairlead)',
  FAIRLEAD_BROKER_HOME: 'the folder of the broker (default: the folder broker in FAIRLEAD_HOME)',
  FAIRLEAD_AGENT_URL: 'within an agent: the hub, as its broker has told it',
  FAIRLEAD_AGENT_TOKEN_FILE:
    'within an agent: the file with what `fairlead self` shows, which its broker keeps fresh',
  HOME: 'where ~ is',
  NO_COLOR: 'anything but nothing: no colours',
  TERM: '`dumb`: no colours, nothing that moves, and nothing that is drawn over',
  CI: 'anything: nothing that moves',
} as const satisfies Record<string, string>;

/** The table as `--help` shows it. */
export function environmentHelp(): string {
  const names = Object.keys(ENVIRONMENT);
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(ENVIRONMENT).map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`);
  return ['Environment:', ...lines].join('\n');
}
