import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { CandidCaller, type Ask } from './support/candid-caller.js';
import { WorkingBroker } from './support/working-broker.js';

type Secrets = { cluster: string; seal: string; session: string };

const secret = () => randomBytes(32).toString('hex');
const makeSecrets = (): Secrets => ({ cluster: secret(), seal: secret(), session: secret() });
const OLD = makeSecrets();
const NEW = makeSecrets();

/** Newest first. */
const rings = (...secrets: Secrets[]) => ({
  FAIRLEAD_SEAL_KEYS: secrets.map(({ seal }) => seal).join(','),
  FAIRLEAD_SESSION_SECRETS: secrets.map(({ session }) => session).join(','),
});
/** What a replica is started with before the three rolls, and in each of them. */
const BEFORE = { FAIRLEAD_CLUSTER_SECRET: OLD.cluster, ...rings(OLD) };
const ROLLS: readonly Record<string, string>[] = [
  {
    FAIRLEAD_CLUSTER_SECRET: OLD.cluster,
    FAIRLEAD_CLUSTER_SECRET_PREVIOUS: NEW.cluster,
    ...rings(OLD, NEW),
  },
  {
    FAIRLEAD_CLUSTER_SECRET: NEW.cluster,
    FAIRLEAD_CLUSTER_SECRET_PREVIOUS: OLD.cluster,
    ...rings(NEW, OLD),
  },
  { FAIRLEAD_CLUSTER_SECRET: NEW.cluster, ...rings(NEW, OLD) },
];
const AFTER = { FAIRLEAD_CLUSTER_SECRET: NEW.cluster, ...rings(NEW) };

const LOUD = { FAIRLEAD_LOG_LEVEL: 'debug', FAIRLEAD_DRAIN_DEADLINE_S: '3', FAIRLEAD_DRAIN_LINGER_S: '1' };
const REPLICAS = 3;
const BROKERS = 2;
const MORE = 3;
/** Load that leaves room for replicas to start beside it, on few cores too. */
const RESTS_MS = 200;
const SIGNS_IN_EVERY_MS = 1_500;
const PASSWORD = 'correct horse battery';
const REFRESHED_EVERY = 5;

type Page = { cookie: string; csrfToken: string };

describe('the secrets of a cluster, replaced in three rolls under load', () => {
  let cluster: Cluster;
  let live: HubProcess[] = [];
  let person: string;
  /** Another, since the oldest of somebody's sessions end where there are too many. */
  let newcomer: string;
  let page: Page;
  let newestCookie = '';
  let parked: ScriptedBroker;
  let waiting = 0;
  const workers: WorkingBroker[] = [];
  const callers: CandidCaller[] = [];
  /** Ids of all commands that were accepted, as callers were told. */
  const accepted: string[] = [];
  const environment = { TOKEN: `planted_${randomUUID()}` };

  beforeAll(async () => {
    cluster = await Cluster.start(0);
    for (let count = 0; count < REPLICAS; count += 1)
      live.push(await cluster.addReplica({ ...BEFORE, ...LOUD }));
    const api = cluster.api(0);
    for (let count = 0; count < BROKERS; count += 1) {
      const broker = await ScriptedBroker.join(api, cluster.hub(0).url);
      workers.push(new WorkingBroker(broker, () => from(count).map(({ url }) => url)));
    }
    parked = await ScriptedBroker.join(api, cluster.hub(0).url);
    person = await makeAdministrator();
    newcomer = await makeAdministrator();
    page = await openPage();
  });

  afterAll(async () => {
    await Promise.all(callers.map((caller) => caller.stop()));
    await Promise.all(workers.map((worker) => worker.stop()));
    await cluster.stop();
  });

  const apiOf = (hub: HubProcess | undefined) => cluster.api(0).at(hub?.url ?? '');
  const from = (place: number) => [...live.slice(place % live.length), ...live.slice(0, place % live.length)];
  const byToken = () => ({ authorization: `Bearer ${cluster.administratorToken}` });

  async function makeAdministrator(): Promise<string> {
    const api = cluster.api(0);
    const { body: user } = await api.post('/api/v1/users', { name: `u-${randomUUID()}`, role: 'admin' });
    const { body: invite } = await api.post(`/api/v1/users/${user.id}/invites`, {});
    await api.post('/api/v1/invites/redeem', { token: invite.token, password: PASSWORD });
    return user.name;
  }

  async function openPage(): Promise<Page> {
    const { url: origin } = cluster.hub(0);
    const signIn = { user: person, password: PASSWORD };
    const { body, headers } = await cluster.api(0).post('/api/v1/web-sessions', signIn, { origin });
    return { cookie: cookieIn(headers), csrfToken: body.csrfToken };
  }

  const cookieIn = (headers: Headers) => String(/^[^;]+/.exec(headers.getSetCookie()[0] ?? ''));

  /** With the secret in what each start of it is given. */
  async function makeAgent(brokerId: string): Promise<string> {
    const name = `a-${randomUUID().slice(0, 8)}`;
    const spec = { command: 'true', environment };
    const { status, body } = await apiOf(live[0]).post('/api/v1/agents', { name, broker: brokerId, spec });
    if (status !== 201) throw new Error(`no agent: ${JSON.stringify(body)}`);
    return name;
  }

  /** A command with a sealed secret, which waits for its broker at the end. */
  async function park(at: HubProcess | undefined): Promise<void> {
    const { status } = await apiOf(at).post(`/api/v1/agents/${await makeAgent(parked.id)}/start`);
    if (status !== 202) throw new Error(`nothing was stored: ${status}`);
    waiting += 1;
  }

  /** The new one is sealed under the seal key that this replica has first. */
  async function rotateSigningKey(at: HubProcess | undefined): Promise<void> {
    const { status } = await apiOf(at).post('/api/v1/signing-keys/rotate');
    if (status !== 200) throw new Error(`no other signing key: ${status}`);
  }

  /** Gives a command and follows it to its end. @returns its id */
  async function command(
    ask: Ask,
    path: string,
    headers: (url: string) => Record<string, string>,
    body?: object,
  ): Promise<string> {
    const key = randomUUID();
    const withKey = (url: string) => ({ ...headers(url), prefer: 'wait=10', 'idempotency-key': key });
    let { dispatch } = (await ask(path, { method: 'POST', headers: withKey, body })).body;
    accepted.push(dispatch.id);
    while (dispatch.endedAt === null)
      ({ dispatch } = (await ask(`/dispatches/${dispatch.id}`, { headers: withKey })).body);
    if (dispatch.state !== 'succeeded') throw new Error(`${dispatch.id} is ${dispatch.state}`);
    return dispatch.id;
  }

  const ping = (ask: Ask, brokerId: string, headers: (url: string) => Record<string, string>) =>
    command(ask, `/brokers/${brokerId}/dispatches`, headers, { op: 'broker.ping', orderingKey: 'a' });

  function call(what: string, restsForMs: number, act: (ask: Ask) => Promise<void>): void {
    const place = callers.length;
    callers.push(new CandidCaller(what, () => from(place).map(({ url }) => url), act, restsForMs));
  }

  function startCallers(): void {
    for (const { brokerId } of workers)
      call('gives commands by a personal token', RESTS_MS, async (ask) => {
        await ping(ask, brokerId, byToken);
      });

    call('lists by a personal token', RESTS_MS, async (ask) => {
      await ask('/dispatches?limit=5', { headers: byToken });
      await ask('/brokers?limit=5', { headers: byToken });
    });

    call('works on a page that was opened before', RESTS_MS, async (ask) => {
      const { cookie, csrfToken } = page;
      const me = await ask('/me', { headers: () => ({ cookie }) });
      if (me.body.name !== person) throw new Error('the cookie is somebody else’s');
      const current = await ask('/web-sessions/current', { headers: () => ({ cookie }) });
      if (current.body.csrfToken !== csrfToken) throw new Error('the page has another token');
      const shown = (origin: string) => ({ cookie, origin, 'x-csrf-token': csrfToken });
      await ping(ask, String(workers[0]?.brokerId), shown);
    });

    call('signs in anew', SIGNS_IN_EVERY_MS, async (ask) => {
      const body = { user: newcomer, password: PASSWORD };
      const begun = await ask('/web-sessions', { method: 'POST', headers: (origin) => ({ origin }), body });
      newestCookie = cookieIn(begun.headers);
      for (let count = 0; count < REPLICAS; count += 1)
        await ask('/me', { headers: () => ({ cookie: newestCookie }) });
    });

    let session: { accessToken: string; refreshToken: string } | undefined;
    let turns = 0;
    call('keeps a session', RESTS_MS, async (ask) => {
      const signIn = { user: person, password: PASSWORD };
      session ??= (await ask('/sessions', { method: 'POST', body: signIn })).body as typeof session;
      const authorization = `Bearer ${session?.accessToken}`;
      await ask('/me', { headers: () => ({ authorization }) });
      if ((turns += 1) % REFRESHED_EVERY !== 0) return;
      const body = { refreshToken: session?.refreshToken };
      session = (await ask('/sessions/refresh', { method: 'POST', body })).body;
    });

    for (const worker of workers) {
      let agent: string | undefined;
      call('gives secrets to an agent', RESTS_MS, async (ask) => {
        agent ??= await makeAgent(worker.brokerId);
        const id = await command(ask, `/agents/${agent}/restart`, byToken);
        const args = worker.args.get(id) as { spec?: { environment?: object } } | undefined;
        if (JSON.stringify(args?.spec?.environment) !== JSON.stringify(environment))
          throw new Error(`${id} came with ${JSON.stringify(args)}`);
      });
    }
  }

  /** Resolves when each caller has done its thing some more times, or was refused. */
  async function allGoOn(): Promise<void> {
    const before = callers.map(({ done, refusals }) => done + refusals.length);
    await eventually(
      () =>
        callers.every(({ done, refusals }, place) => done + refusals.length >= (before[place] ?? 0) + MORE),
      { withinMs: 90_000 },
    );
  }

  /** Links to other replicas that were refused to this one, by what it logged. */
  const refused = ({ lines }: HubProcess) =>
    lines.filter(
      ({ msg, err }) =>
        msg === 'no link for hints: NOTIFY carries them' &&
        (err as { why?: string }).why === 'it takes none of our secrets',
    );

  async function replace(old: HubProcess, env: Record<string, string>): Promise<number | null> {
    const next = await cluster.addReplica({ ...env, ...LOUD });
    live = [...live.filter((hub) => hub !== old), next];
    return old.stop();
  }

  it('refuses nobody anything at any step, and does each command once', async () => {
    startCallers();
    await park(live[0]);
    await allGoOn();
    const statuses: (number | null)[] = [];
    for (const env of ROLLS) {
      for (const old of [...live]) {
        statuses.push(await replace(old, env));
        await park(live.at(-1));
        await park(live[0]);
        await rotateSigningKey(live.at(-1));
        await allGoOn();
      }
    }
    await Promise.all(callers.map((caller) => caller.stop()));

    const link = await parked.connect(live[0]?.url ?? '');
    const delivered: unknown[] = [];
    while (delivered.length < waiting) {
      const item = await link.nextDispatch();
      link.succeed(item);
      delivered.push((item.args as { spec: { environment: object } }).spec.environment);
    }

    expect(callers.flatMap(({ refusals }) => refusals)).toEqual([]);
    expect(workers.flatMap(({ failures }) => failures).filter(isOfCredential)).toEqual([]);
    expect(cluster.hubs.flatMap(refused)).toEqual([]);
    expect(statuses).toEqual(statuses.map(() => 0));
    expect(delivered).toEqual(delivered.map(() => environment));
    expect(workers.flatMap(({ begun }) => begun).sort()).toEqual(accepted.sort());
    const missed = callers.map((caller) => caller.missed);
    expect(missed).toEqual(missed.map(() => 0));
    await link.close();
  }, 600_000);

  it('shuts out whoever has the old one alone, and its commands arrive through NOTIFY', async () => {
    const [, , third] = ROLLS;
    const late = await cluster.addReplica({ ...third, FAIRLEAD_CLUSTER_SECRET: OLD.cluster, ...LOUD });
    const [worker] = workers;

    const answer = await apiOf(late).ping(String(worker?.brokerId), { waitS: 20 });

    expect(answer.body.dispatch.state).toBe('succeeded');
    // A link that could not be opened for another reason is tried again with a later hint.
    const asksAgain = async () => {
      await apiOf(late).ping(String(worker?.brokerId));
      return refused(late).length > 0;
    };
    await eventually(asksAgain, { withinMs: 40_000, everyMs: 500 });
  }, 120_000);

  it('lets whoever signed in by the new one go on without the old one, and nobody else', async () => {
    const { url } = await cluster.addReplica({ ...AFTER, ...LOUD });

    const [before, after] = await Promise.all(
      [page.cookie, newestCookie].map((cookie) => fetch(`${url}/api/v1/me`, { headers: { cookie } })),
    );

    expect([before?.status, after?.status]).toEqual([401, 200]);
  }, 60_000);
});

/** A link that the hub did not let its broker have, for what the broker showed. */
function isOfCredential(failure: string): boolean {
  return /no access token|\b(401|403|4401|4403)\b/.test(failure);
}
