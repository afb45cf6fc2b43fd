import { CREDENTIALS, exchangeOf, type Credential, type Shown } from './credentials.js';
import { linesOf, type Line } from './calls.js';
import type { Stage } from './stage.js';

/** What each way in answers to each credential: the statuses in the order of the credentials. */
export type Row = Pick<Line, 'listener' | 'method' | 'path'> & { readonly statuses: readonly number[] };

const AT_ONCE = 4;

/** Asks every route of a running hub with every kind of credential. */
export async function measure(stage: Stage): Promise<Row[]> {
  const broker = await stage.broker();
  const kept = new Map<Credential, Shown>();
  for (const credential of CREDENTIALS) kept.set(credential, await credential.make(stage, broker));
  const show = async (credential: Credential): Promise<Shown> => {
    const shown = kept.get(credential);
    return shown === undefined || credential.isSpent === true ? credential.make(stage, broker) : shown;
  };
  const lines = linesOf(stage);
  const rows: Row[] = [];
  // A few at a time: the hub is on the same machine.
  for (let at = 0; at < lines.length; at += AT_ONCE) {
    const asked = lines.slice(at, at + AT_ONCE).map(async ({ ask, listener, method, path }) => {
      const statuses = await Promise.all(
        CREDENTIALS.map(async (each) => settled(async () => ask(await show(each)))),
      );
      return { listener, method, path, statuses };
    });
    rows.push(...(await Promise.all(asked)));
  }
  // What was shown everywhere is as good as before: no refusal was for the sake of an earlier call.
  await stage.post('brokers/token', exchangeOf(await stage.assertion(broker)));
  return rows;
}

/** 503 says to try again, which a replica on a busy machine may say of itself. */
async function settled(ask: () => Promise<number>): Promise<number> {
  for (let tries = 0; tries < 5; tries += 1) {
    const status = await ask();
    if (status !== 503) return status;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  return 503;
}
