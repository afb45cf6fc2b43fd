/**
 * Tries a broker or a hub by the rules of docs/control-channel.md, from the other end of the wire. It shares the reading of
 * frames with the product and nothing else, so that a fault of both is not held for the rule.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './of-broker/child.js';
import { PlayedHub } from './of-broker/played-hub.js';
import { BROKER_RULES } from './of-broker/rules.js';
import { BrokerStage, type SlowCommand } from './of-broker/stage.js';
import { HUB_RULES } from './of-hub/rules.js';
import { HubStage } from './of-hub/stage.js';
import { PACE } from './pace.js';
import { Broken, tryRules, type Rule, type Verdict } from './rule.js';

/** A rule as a list shows it. */
export type RuleEntry = Pick<Rule<never>, 'id' | 'says' | 'where'>;

type Options = {
  /** Ids of rules; all without it. */
  only?: readonly string[] | undefined;
  /** Leaves out rules that take ten seconds and more. */
  isQuick: boolean;
  signal: AbortSignal;
  onVerdict: (verdict: Verdict) => void;
};

export type BrokerOptions = Options & {
  listen: { host: string; port: number };
  /** Starts the broker, by the shell; without it somebody starts it. */
  command?: string | undefined;
  slow?: SlowCommand | undefined;
  env: NodeJS.ProcessEnv;
  /** Told where the hub is, and the join token for it. */
  onListening: (at: { url: string; joinToken: string }) => void;
  /** Told what the broker says. */
  onOutput: (text: string) => void;
};

/** No broker came, no hub let one join, or there is no rule of such a name. */
export class ConformanceFault extends Error {
  constructor(
    readonly code: 'no_broker' | 'no_hub' | 'rule_unknown',
    message: string,
  ) {
    super(message);
    this.name = 'ConformanceFault';
  }
}

/**
 * Tries a broker, which is to connect to the hub that is played here.
 *
 * @throws ConformanceFault
 */
export async function tryBroker(options: BrokerOptions): Promise<Verdict[]> {
  const rules = chosen(BROKER_RULES, options);
  const { command, signal } = options;
  const hub = await PlayedHub.listen(options.listen, PACE);
  const home = await mkdtemp(join(tmpdir(), 'fairlead-conformance-'));
  const program =
    command === undefined ? undefined : new Child(command, envOf(hub, home, options.env), options.onOutput);
  try {
    options.onListening(hub);
    program?.start();
    await firstUpgrade(hub, signal);
    const stage = new BrokerStage(hub, PACE, program, options.slow);
    const trying = { signal, onVerdict: options.onVerdict, onBroken: () => stage.recover() };
    return await tryRules(rules, stage, trying);
  } finally {
    await program?.end('SIGKILL');
    await hub.close();
    await rm(home, { recursive: true, force: true, maxRetries: 10 });
  }
}

export type HubOptions = Options & {
  url: string;
  /** With a seat for the broker that is played. */
  joinToken: string;
  /** Of somebody who may give commands; without it what needs one is skipped. */
  apiToken?: string | undefined;
};

/**
 * Tries a hub, as a broker that joins it under a name that begins with canary-.
 *
 * @throws ConformanceFault
 */
export async function tryHub(options: HubOptions): Promise<Verdict[]> {
  const rules = chosen(HUB_RULES, options);
  const stage = new HubStage(options.url, options.joinToken, options.apiToken, PACE);
  const { status, body } = await stage.join().catch((error: Error) => {
    const why = error instanceof Broken ? error.seen : error.message;
    throw new ConformanceFault('no_hub', `No hub answers at ${options.url}: ${why}.`);
  });
  if (status !== 201) {
    const code = typeof body.code === 'string' ? body.code : 'no code';
    throw new ConformanceFault('no_hub', `The join at ${options.url} was refused: ${status} ${code}.`);
  }
  const { signal, onVerdict } = options;
  return tryRules(rules, stage, { signal, onVerdict, onBroken: () => Promise.resolve() });
}

/** All rules there are, for brokers and for hubs. */
export function allRules(): RuleEntry[] {
  return [...BROKER_RULES, ...HUB_RULES].map(({ id, says, where }) => ({ id, says, where }));
}

function chosen<S>(rules: readonly Rule<S>[], { only, isQuick }: Options): Rule<S>[] {
  const unknown = only?.find((id) => !rules.some((rule) => rule.id === id));
  if (unknown !== undefined)
    throw new ConformanceFault('rule_unknown', `There is no rule ${unknown} for this kind of peer.`);
  return rules.filter(({ id, isLong }) => only?.includes(id) ?? !(isQuick && isLong === true));
}

/** What a broker needs to come here, by the names that brokers of this project and their examples take. */
function envOf(hub: PlayedHub, home: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...env,
    HUB_URL: hub.url,
    JOIN_TOKEN: hub.joinToken,
    FAIRLEAD_JOIN_TOKEN: hub.joinToken,
    FAIRLEAD_BROKER_HOME: home,
    BROKER_HOME: home,
    BROKER_NAME: 'conformance',
  };
}

async function firstUpgrade(hub: PlayedHub, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  const came = hub.upgrades.within(() => true, PACE.linkWithinMs);
  if ((await Promise.race([came, aborted])) === undefined && !signal.aborted)
    throw new ConformanceFault('no_broker', `No broker asked ${hub.url} for the control channel.`);
}
