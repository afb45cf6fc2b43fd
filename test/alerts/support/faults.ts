/**
 * What alerts are for, done to a real hub. Each fault gives what was scraped while it lasted, which is stretched to minutes:
 * no test waits for them.
 */
import * as commands from './faults-of-commands.js';
import * as replicas from './faults-of-replicas.js';
import type { WatchedHub } from './watched-hub.js';

export type Fault = {
  /** How the title of its tests goes on. */
  over: string;
  /** Each alert that it is to bring about, and so many minutes after its first scrape. */
  fires: Readonly<Record<string, number>>;
  /** For how long each scrape stays as it is. */
  minutesEach: number;
  induce: (hub: WatchedHub) => Promise<string[]>;
};

/** One after the other over the same hub; the last of them end what the others need. */
export const FAULTS: readonly Fault[] = [
  {
    over: 'a broker that takes six seconds for an ack, and a NOTIFY that is 350 ms on its way',
    fires: { FairleadAcksSlow: 7, FairleadCanarySlow: 7 },
    minutesEach: 4,
    induce: commands.acksAndNotifyAreLate,
  },
  {
    over: 'somebody who tries passwords',
    fires: { FairleadCredentialsGuessed: 2 },
    minutesEach: 3,
    induce: replicas.passwordsAreTried,
  },
  {
    over: 'a command that fails five times, each rest after it cut short in its row',
    fires: { FairleadDispatchesDead: 2 },
    minutesEach: 3,
    induce: commands.failsForGood,
  },
  {
    over: 'a command that its broker never ends, whose row says that it is six minutes old',
    fires: { FairleadDispatchesStuck: 3 },
    minutesEach: 4,
    induce: commands.neverEnds,
  },
  {
    over: 'a broker that forgets a run, and has one that nobody asked for',
    fires: { FairleadAgentRunsLost: 2, FairleadStrayRuns: 16 },
    minutesEach: 17,
    induce: commands.runsOtherAgents,
  },
  {
    over: 'a replica that is stopped for seconds again and again',
    fires: { FairleadEventLoopLate: 3 },
    minutesEach: 4,
    induce: replicas.standsStill,
  },
  {
    over: 'a server that ends the connection that listens four times',
    fires: { FairleadListenerUnstable: 2 },
    minutesEach: 3,
    induce: replicas.losesItsListener,
  },
  {
    over: 'connections that use up the files of a replica which may open 1,024',
    fires: { FairleadFilesShort: 3 },
    minutesEach: 4,
    induce: replicas.usesUpItsFiles,
  },
  {
    over: 'a collector that is away',
    fires: { FairleadLogRecordsLost: 11, FairleadSpansLost: 11 },
    minutesEach: 4,
    induce: replicas.hasNoCollector,
  },
  {
    over: 'thousands of commands for a broker that is away',
    fires: { FairleadBacklogGrows: 11 },
    minutesEach: 12,
    induce: commands.pilesUp,
  },
  {
    over: 'a replica that is killed and started again three times',
    fires: { FairleadReplicaRestarts: 7 },
    minutesEach: 3,
    induce: replicas.startsAgainAndAgain,
  },
];
