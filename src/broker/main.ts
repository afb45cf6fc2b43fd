/** What the command line starts: joining a hub once, and running the broker until it is asked to end. */
import { both, openLogExport } from '../tracing/log-export.js';
import { LINES_LOST, LogOutput } from '../tracing/log-output.js';
import { readExports } from '../tracing/settings.js';
import { openTracer } from '../tracing/tracer.js';
import { thumbprint } from './credential-key.js';
import { Credential } from './credential.js';
import { systemClocks } from './clocks.js';
import { rotateKey } from './key-rotation.js';
import { Keyring } from './keyring.js';
import { Addresses } from './connection/addresses.js';
import { BrokerDisplaced, TracingMisconfigured } from './broker.errors.js';
import type { ExitReason } from './connection/connector.js';
import { Home } from './home.js';
import { acquireLock } from './lock.js';
import { softwareName } from './software.js';

export { joinBroker } from './join.js';
export { startCanaries } from './load/canaries.js';
export { loadBrokers } from './load/load.js';

/** Time that spans and the last lines of the log are given to leave with the process. */
const EXPORTED_WITHIN_MS = 3_000;

export type RunOptions = {
  home: string;
  /** Whether agents are stopped when the broker is; by default they go on and are found again. */
  stopAgents: boolean;
  /** Whether a second link is held ready at another replica. */
  standby: boolean;
  signal: AbortSignal;
};

/**
 * Gives the broker of a home another key, whether it runs or not.
 *
 * @returns the thumbprints of its keys, by which the hub names them
 * @throws NotJoined, HomeUnreadable, RotationUnderWay, RotationRefused, KeyUnconfirmed, HubUnreachable
 */
export async function rotateBrokerKey({
  home: path,
}: Pick<RunOptions, 'home'>): Promise<{ brokerId: string; name: string; key: string; formerKey: string }> {
  const home = new Home(path);
  const { brokerId, name, hubId, urls } = await home.membership();
  const addresses = new Addresses(urls, home.alternativesPath);
  await addresses.load();
  const credential = new Credential(brokerId, hubId, new Keyring(home), systemClocks);
  const { publicKey, former } = await rotateKey(home, credential, addresses.round(null));
  return { brokerId, name, key: await thumbprint(publicKey), formerKey: await thumbprint(former) };
}

/**
 * Runs the broker of a home folder; resolves when it has ended after the signal.
 *
 * @throws NotJoined, HomeInUse, HomeUnreadable, TracingMisconfigured, BrokerDisplaced
 */
export async function runBroker({ home: path, stopAgents, standby, signal }: RunOptions): Promise<void> {
  const { tracing, logExport: exported, broken } = readExports(process.env);
  if (broken.length > 0) throw new TracingMisconfigured(broken);
  const home = new Home(path);
  const { brokerId } = await home.membership();
  const lock = await acquireLock(path);
  try {
    // Not sooner: joining needs none of them, and what is wrong above is told at once.
    const [{ pino }, { Broker }] = await Promise.all([import('pino'), import('./broker.js')]);
    const [name = 'fairlead', version = 'unknown'] = softwareName().split('/');
    const program = { name: `${name}-broker`, version, attributes: { 'fairlead.broker.id': brokerId } };
    const logExport = await openLogExport(exported, program, (told) =>
      log.warn(told, 'lines of the log could not be exported; nothing is held up by that'),
    );
    const output = new LogOutput(process.stdout.fd, (told) => log.warn(told, LINES_LOST));
    const log = pino({ base: {} }, logExport === undefined ? output : both(output, logExport));
    const tracer = await openTracer(tracing, program, (told) =>
      log.warn(told, 'spans could not be exported; commands are not held up by that'),
    );
    const broker = await Broker.start({ home, log, tracer, standby });
    const asked = new Promise<'asked'>((resolve) => {
      if (signal.aborted) resolve('asked');
      signal.addEventListener('abort', () => resolve('asked'), { once: true });
    });
    let why: 'asked' | ExitReason | 'failed' = 'failed';
    try {
      why = await Promise.race([asked, broker.done]);
    } finally {
      await broker.stop({ stopAgents: stopAgents && why === 'asked' });
      await Promise.all([tracer?.close(EXPORTED_WITHIN_MS), logExport?.close(EXPORTED_WITHIN_MS)]);
    }
    if (why === 'displaced') throw new BrokerDisplaced(path);
  } finally {
    await lock.release();
  }
}
