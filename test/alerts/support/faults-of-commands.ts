/** What is done to commands and agents. Each gives what was scraped while it lasted, and ends it where the next needs that. */
import { randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import type { AgentReport } from '../../../src/protocol/frame.js';
import { endRest } from '../../support/end-rest.js';
import { ScriptedBroker } from '../../support/scripted-broker.js';
import { valueIn } from './series.js';
import type { WatchedHub } from './watched-hub.js';

const ACKS = 'fairlead_dispatch_claim_to_ack_seconds_count{op="broker.ping",lane="normal"}';
const CANARIES = 'fairlead_canary_delay_seconds_count';
const DEAD = 'fairlead_dispatches_ended_total{op="broker.ping",lane="normal",outcome="dead"}';
const LOST_RUNS = 'fairlead_agent_runs_lost_total{outcome="failed"}';
const STRANGERS = 'fairlead_agent_strays{kind="stranger"}';

/** Later than the alert takes for slow, and sooner than a canary is given up. */
const NOTIFY_LATE_MS = 350;

/** Twice, so that it goes on for longer than the five minutes over which the rule looks. */
export async function acksAndNotifyAreLate(hub: WatchedHub): Promise<string[]> {
  const onTime = hub.proxy.tellLate(NOTIFY_LATE_MS);
  const asked = [1, 2].map(() => hub.api.ping(hub.broker.id, { orderingKey: null, waitS: 30 }));
  const dispatches = [await hub.link.nextDispatch(), await hub.link.nextDispatch()];
  await rest(6_000);
  const scrapes: string[] = [];
  for (const dispatch of dispatches) {
    const before = await hub.scrape();
    hub.link.ack(dispatch);
    scrapes.push(
      await hub.scrapeOnce((valueOf) =>
        [ACKS, CANARIES].every((series) => valueOf(series) > valueIn(before, series)),
      ),
    );
    hub.link.succeed(dispatch);
  }
  await Promise.all(asked);
  onTime();
  return scrapes;
}

export async function failsForGood(hub: WatchedHub): Promise<string[]> {
  const { body } = await hub.api.ping(hub.broker.id, { orderingKey: null });
  for (const isLast of [false, false, false, false, true]) {
    hub.link.fail(await nextOf(hub, body.dispatch.id), { retryable: true });
    if (!isLast) await endRest(hub.databaseUrl, body.dispatch.id);
  }
  return [await hub.scrapeOnce((valueOf) => valueOf(DEAD) > 0)];
}

/** What was sent again meanwhile of another command is passed over. */
async function nextOf(hub: WatchedHub, id: string) {
  for (;;) {
    const dispatch = await hub.link.nextDispatch();
    if (dispatch.id === id) return dispatch;
  }
}

export async function neverEnds(hub: WatchedHub): Promise<string[]> {
  const asked = hub.api.ping(hub.broker.id, { orderingKey: null, waitS: 30 });
  const dispatch = await hub.link.nextDispatch();
  hub.link.ack(dispatch);
  await hub.scrapeOnce((valueOf) => valueOf('fairlead_dispatches_live{state="running"}') > 0);
  await hub.sql.query(
    `update broker_dispatch
     set created_at = created_at - interval '6 minutes', claimed_at = claimed_at - interval '6 minutes'
     where id = $1`,
    [dispatch.id],
  );
  const stuck = await hub.scrapeOnce((valueOf) => valueOf('fairlead_dispatches_stuck{state="running"}') > 0);
  hub.link.succeed(dispatch);
  await asked;
  return [stuck];
}

/** At a broker of its own: what that runs is gone from later scrapes with its link. */
export async function runsOtherAgents(hub: WatchedHub): Promise<string[]> {
  const broker = await ScriptedBroker.join(hub.api, hub.hub.url);
  const link = await broker.connect(hub.hub.url, [], { capabilities: ['runtime.process', 'agents'] });
  const spec = { command: 'true' };
  const { body: agent } = await hub.api.post('/api/v1/agents', {
    name: 'forgotten',
    broker: broker.id,
    spec,
  });
  const started = hub.api.post(`/api/v1/agents/${agent.id}/start`, undefined, { prefer: 'wait=30' });
  const dispatch = await link.nextDispatch();
  link.ack(dispatch);
  link.send({ t: 'event', agents: [running(agent.id, dispatch.args.runId as string)] });
  link.succeed(dispatch);
  await started;

  const stranger = running(randomUUID(), randomUUID());
  const tell = () => link.send({ t: 'event', agents: [stranger], list: 'last' });
  const answering = (async () => {
    for (;;) {
      await link.next('agents_wanted', 60_000);
      tell();
    }
  })().catch(() => undefined);
  tell();
  const text = await hub.scrapeOnce((valueOf) => valueOf(LOST_RUNS) > 0 && valueOf(STRANGERS) > 0);
  await link.close();
  await answering;
  return [text];
}

/** Its broker has joined, and was never there. */
export async function pilesUp(hub: WatchedHub): Promise<string[]> {
  const { body: project } = await hub.api.post('/api/v1/projects', { name: 'busy' });
  const broker = await ScriptedBroker.join(hub.api, hub.hub.url);
  await hub.api.post(`/api/v1/projects/${project.id}/attachments`, { broker: broker.id });
  const items = Array(1_000).fill({
    broker: broker.id,
    op: 'broker.ping',
    project: project.id,
    orderingKey: null,
  });
  for (let count = 0; count < 6; count += 1) await hub.api.post('/api/v1/dispatches/batch', { items });
  return [
    await hub.scrapeOnce((valueOf) => valueOf('fairlead_project_dispatches_pending{project="busy"}') > 5_000),
  ];
}

function running(agentId: string, runId: string): AgentReport {
  return { agentId, runId, phase: 'running', exitCode: null, detail: null, restarts: 0 };
}
