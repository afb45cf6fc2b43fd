/**
 * What is of a project, asked for by those of another one: every route that names a project or something in one, with a body
 * that makes sense, of things that are there.
 */
import { randomUUID } from 'node:crypto';
import type { Stage } from './stage.js';

/** Who asks. */
export const HOLDERS = [
  { column: 'other', meaning: 'The personal token of an administrator of another project.' },
  {
    column: 'only',
    meaning: 'A personal token of an administrator of the hub that is good for another project alone.',
  },
  { column: '**own**', meaning: 'The personal token of an administrator of this project.' },
  { column: '**hub**', meaning: 'The personal token of an administrator of the hub.' },
] as const;

/** The answers in the order of the holders: statuses, or that the answer has nothing of the project. */
export type ProjectRow = {
  readonly method: string;
  readonly path: string;
  readonly answers: readonly string[];
};

/** A project with something of each kind in it. */
type Things = { project: string; broker: string; agent: string; id: string; user: string; name: string };

type Order = {
  readonly query?: string;
  readonly body?: object;
  /** It names nothing itself, and tells of what its caller may see. */
  readonly isList?: true;
};

const PING = { op: 'broker.ping' };
const TEXT = { text: 'hello' };

/** What each route is asked for; words with a colon stand for the things of the project. */
const ORDERS: Readonly<Record<string, Order>> = {
  'GET /api/v1/agents': { query: '?project=:project' },
  'POST /api/v1/agents': {
    body: { name: ':name', broker: ':broker', project: ':project', spec: { command: 'true' } },
  },
  'POST /api/v1/agents/:agent/messages': { body: TEXT },
  'GET /api/v1/brokers': { isList: true },
  'PATCH /api/v1/brokers/:broker': { body: { labels: { told: 'yes' } } },
  'POST /api/v1/brokers/:broker/dispatches': { body: { ...PING, project: ':project' } },
  'GET /api/v1/dispatches': { query: '?project=:project' },
  'POST /api/v1/dispatches/batch': { body: { items: [{ ...PING, broker: ':broker', project: ':project' }] } },
  'POST /api/v1/dispatches/redrive': { body: { state: 'cancelled' }, isList: true },
  'POST /api/v1/messages': { body: { ...TEXT, agents: [':agent'] } },
  'GET /api/v1/projects': { isList: true },
  'PATCH /api/v1/projects/:project': { body: { maxPending: 5 } },
  'POST /api/v1/projects/:project/attachments': { body: { broker: ':broker' } },
  'PUT /api/v1/projects/:project/members/:user': { body: { role: 'viewer' } },
  'POST /api/v1/projects/:project/messages': { body: TEXT },
  'GET /api/v1/strays': { query: '?agent=:agent' },
  'GET /api/v1/trails': { query: '?broker=:broker' },
};

const OF_A_PROJECT = /\/:(project|broker|agent)\b|\/dispatches\/:id\b/;

/** Asks each route as each holder; those who must be refused first, so that there is something to be had. */
export async function measureProjects(stage: Stage): Promise<ProjectRow[]> {
  const scene = new Scene(stage);
  const shared = await scene.things();
  const tokens = { ...(await scene.strangers()), hub: stage.administrator };
  const rows: ProjectRow[] = [];
  const lines = [...stage.running.routes]
    .filter(({ method, path }) => OF_A_PROJECT.test(path) || `${method} ${path}` in ORDERS)
    .sort((one, other) => (`${one.path} ${one.method}` < `${other.path} ${other.method}` ? -1 : 1));
  for (const { method, path } of lines) {
    const isReading = method === 'GET';
    const [things, again] = isReading
      ? [shared, shared]
      : [await scene.things(method, path), await scene.things(method, path)];
    const ask = (token: string, of: Things) => scene.ask(method, path, token, of);
    rows.push({
      method,
      path,
      answers: [
        await ask(tokens.other, things),
        await ask(tokens.only, things),
        await ask(await scene.headOf(things.project), things),
        await ask(tokens.hub, again),
      ],
    });
  }
  return rows;
}

class Scene {
  constructor(private readonly stage: Stage) {}

  /** @param route that is to be asked of them */
  async things(...route: string[]): Promise<Things> {
    const { stage } = this;
    const [user, name] = [
      String((await stage.post('users', { name: `u-${randomUUID()}` }))['id']),
      `n-${randomUUID()}`,
    ];
    const project = await this.project();
    const { id: broker } = await stage.broker();
    await stage.post(`projects/${project}/attachments`, { broker });
    const spec = { command: 'true' };
    const agent = await stage.post('agents', { name: `a-${randomUUID()}`, broker, project, spec });
    const { dispatch } = await stage.post(`brokers/${broker}/dispatches`, { ...PING, project });
    const { id } = dispatch as { id: string };
    if (route.join(' ').includes('/redrive')) await stage.post(`dispatches/${id}/cancel`, {});
    return { project, broker, agent: String(agent['id']), id, user, name };
  }

  async strangers(): Promise<{ other: string; only: string }> {
    const elsewhere = await this.project();
    const { token } = await this.stage.post('tokens', { name: 'of another', projects: [elsewhere] });
    return { other: await this.headOf(elsewhere), only: String(token) };
  }

  /** @returns a token of a new administrator of the project */
  async headOf(project: string): Promise<string> {
    const { id } = await this.stage.post('users', { name: `u-${randomUUID()}` });
    await this.stage.post(`projects/${project}/members/${String(id)}`, { role: 'admin' }, 'PUT');
    const { token } = await this.stage.post(`users/${String(id)}/tokens`, { name: 'shown' });
    return String(token);
  }

  async ask(method: string, path: string, token: string, things: Things): Promise<string> {
    const { query = '', body, isList = false } = ORDERS[`${method} ${path}`] ?? {};
    const text = filled(JSON.stringify(body), things);
    const request = {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: text }),
    };
    const url = `${this.stage.running.publicUrl}${filled(path + query, things)}`;
    const { response, answer } = await settled(async () => {
      const response = await fetch(url, request);
      return { response, answer: await response.text() };
    });
    if (isList && response.ok && !Object.values(things).some((id) => answer.includes(id))) return 'nothing';
    return String(statusIn(answer) ?? response.status);
  }

  private async project(): Promise<string> {
    return String((await this.stage.post('projects', { name: `p-${randomUUID()}` }))['id']);
  }
}

function filled(text: string | undefined, things: Things): string {
  return (text ?? '').replace(
    /:(project|broker|agent|id|user|name)\b/g,
    (_, name: keyof Things) => things[name],
  );
}

type Answered = { readonly response: Response; readonly answer: string };

/** 503 says to try again, which a replica on a busy machine may say of itself; of a broker that is away it stays so. */
async function settled(ask: () => Promise<Answered>): Promise<Answered> {
  for (let tries = 0; tries < 5; tries += 1) {
    const answered = await ask();
    if (answered.response.status !== 503 || answered.answer.includes('"code":"broker_')) return answered;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  return ask();
}

/** Of the one item of a request for several, which is refused by itself. */
function statusIn(answer: string): number | undefined {
  if (!answer.startsWith('{')) return undefined;
  const { items } = JSON.parse(answer) as { items?: { problem?: { status: number } | null }[] };
  return items?.[0]?.problem?.status;
}
