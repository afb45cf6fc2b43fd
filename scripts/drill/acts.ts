import { setTimeout as rest } from 'node:timers/promises';
import type { Act, Stage } from './drill.js';
import { Wire } from './wire.js';

/** Long enough for a death to be noticed, and for what was broken to be as it was. */
const NOTICED_MS = 9_000;
const CUT_MS = 8_000;
const DEAFENED_TIMES = 3;
const BETWEEN_MS = 1_500;
const AWAY_MS = 2_000;

/** A replica that was not there before takes the place of each, one after another, as a rolling deploy does it. */
const roll: Act = async ({ cluster, say }) => {
  const steps: object[] = [];
  for (const replica of [...cluster.replicas]) {
    const next = await cluster.add();
    const ms = Math.round(await cluster.drain(replica));
    say(`${replica.id} handed over to ${next.id} and the others in ${ms} ms`);
    steps.push({ drained: replica.id, ms });
  }
  return steps;
};

/** Ends a replica as a crash does, and starts another. */
const kill: Act = async ({ cluster, say }) => {
  const victim = first(cluster.replicas);
  await cluster.kill(victim);
  say(`${victim.id} was killed`);
  await cluster.add();
  await rest(NOTICED_MS);
  return [{ killed: victim.id }];
};

/** Cuts one replica off from the database for longer than the others hold it for living, and lets it come back. */
const cut: Act = async ({ cluster, say }) => {
  const leaving = first(cluster.replicas);
  const wire = await Wire.to(cluster.server.url);
  try {
    const victim = await cluster.add({ DATABASE_URL: wire.url });
    // So that it owns some of the brokers.
    await cluster.drain(leaving);
    const mend = wire.cut();
    say(`${victim.id} is cut off from the database`);
    await rest(CUT_MS);
    mend();
    await rest(NOTICED_MS);
    // It may have another id now, and goes by way of the wire still.
    await cluster.add();
    await cluster.drain(victim);
    return [{ cutOff: victim.id, ms: CUT_MS }];
  } finally {
    wire.close();
  }
};

/** Ends the sessions by which replicas are woken. */
const listen: Act = async ({ evidence, say }) => {
  let ended = 0;
  for (let times = 0; times < DEAFENED_TIMES; times += 1) {
    ended += await evidence.deafen();
    await rest(BETWEEN_MS);
  }
  say(`${ended} sessions that listen were ended`);
  return [{ sessionsEnded: ended }];
};

/** Ends the database as a crash does, and starts it again. */
const database: Act = async ({ cluster, say }) => {
  await cluster.crashDatabase(AWAY_MS);
  say(`the database was away for ${AWAY_MS} ms`);
  await rest(NOTICED_MS);
  return [{ databaseAwayMs: AWAY_MS }];
};

function first<T>([one]: readonly T[]): T {
  if (one === undefined) throw new Error('there is no replica');
  return one;
}

export const ACTS: Readonly<Record<string, Act>> = { roll, kill, cut, listen, database };
export type { Stage };
