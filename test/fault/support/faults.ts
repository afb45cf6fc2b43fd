import { eventually } from '../../support/eventually.js';
import type { Cell } from './cell.js';
import type { Stage } from './stage.js';

/** Of the two replicas, the second is the one that a fault of a replica strikes. */
type Replica = 'first' | 'second';

/** Something that goes wrong while commands stand at their boundaries. */
export type Fault = {
  what: string;
  /** The brokers are connected to it. */
  owner: Replica;
  /** The callers ask it first, and the other one when it gives no answer. */
  asked: Replica;
  /** Whether the brokers lose their links by it. */
  losesLinks?: true;
  /** Whether the database server is crashed, and so must be nobody else's. */
  crashesServer?: true;
  /** Resolves when it is over, with nothing held up any more. */
  strike: (stage: Stage) => Promise<void>;
};

const OWNER = { owner: 'second', asked: 'first' } as const;
const ASKED = { owner: 'first', asked: 'second' } as const;
const BOTH = { owner: 'second', asked: 'second' } as const;

export const FAULTS_OF_REPLICAS: readonly Fault[] = [
  { what: 'the owner is killed', ...OWNER, losesLinks: true, strike: killReplica },
  { what: 'the replica that was asked is killed', ...ASKED, strike: killReplica },
  { what: 'the owner, which was asked, is killed', ...BOTH, losesLinks: true, strike: killReplica },
  { what: 'the owner is paused until it counts as gone', ...OWNER, losesLinks: true, strike: silenceOwner },
  { what: 'the replica that was asked is paused', ...ASKED, strike: pauseAsked },
];

/** Of what replicas stand between. */
export const FAULTS_OF_OTHERS: readonly Fault[] = [
  { what: 'the broker is killed', ...ASKED, losesLinks: true, strike: killBrokers },
  { what: 'the broker is paused until its ack is overdue', ...ASKED, strike: pauseBrokers },
  { what: 'the database is restarted', ...ASKED, crashesServer: true, strike: restartDatabase },
];

async function killReplica(stage: Stage): Promise<void> {
  const [survivor, victim] = stage.hubs;
  stage.aim(survivor);
  await victim.kill();
  await stage.severed(victim);
  await stage.letGo();
}

async function killBrokers(stage: Stage): Promise<void> {
  await Promise.all(stage.cells.map(({ broker }) => broker.kill()));
  const isLeft = ({ link }: Cell) => !link.leadsTo(stage.hubs[0].url);
  await eventually(() => stage.cells.every(isLeft), { withinMs: 20_000 });
  await stage.letGo();
  await Promise.all(stage.cells.map(({ broker }) => broker.start(stage.api)));
}

/** The brokers are served elsewhere when the owner wakes up, and only then is it told what was held of their words. */
async function silenceOwner(stage: Stage): Promise<void> {
  const [survivor, owner] = stage.hubs;
  owner.signal('SIGSTOP');
  await stage.cell('before the command is accepted').unlock();
  await stage.owns(owner, 0);
  stage.aim(survivor);
  for (const { link } of stage.cells) link.part();
  await stage.owns(survivor, stage.cells.length);
  await stage.silence(owner);
  owner.signal('SIGCONT');
  await stage.letGo();
  await owner.line(({ msg }) => msg?.includes('was declared gone') === true, 30_000);
}

/** Everything comes to its end without the replica whose callers wait for it. */
async function pauseAsked(stage: Stage): Promise<void> {
  const [, asked] = stage.hubs;
  asked.signal('SIGSTOP');
  await stage.letGo();
  const accepted = stage.cells.filter(({ boundary }) => boundary.state !== null);
  await eventually(
    async () => {
      const rows = await Promise.all(accepted.map((cell) => cell.rows()));
      return rows.flat().every(({ is_live }) => !is_live);
    },
    { withinMs: 30_000, everyMs: 100 },
  );
  asked.signal('SIGCONT');
}

/** What waits for a broker in its sockets is then there twice. */
async function pauseBrokers(stage: Stage): Promise<void> {
  const [owner] = stage.hubs;
  const paused = await stage.cell('while the command is on the wire').brokerId();
  for (const { broker } of stage.cells) broker.signal('SIGSTOP');
  await stage.letGo();
  await owner.line(
    ({ msg, brokerId }) => msg?.startsWith('acks are overdue') === true && brokerId === paused,
  );
  for (const { broker } of stage.cells) broker.signal('SIGCONT');
}

/** What is said meanwhile is said to a hub that cannot write it down. */
async function restartDatabase(stage: Stage): Promise<void> {
  await stage.server?.crash();
  await stage.letGo();
  await stage.server?.startAgain();
}
