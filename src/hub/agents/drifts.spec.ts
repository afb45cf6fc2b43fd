import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it, jest } from '@jest/globals';
import { agentsDigestText } from '../../protocol/agents-digest.js';
import type { AgentReport, FrameOf } from '../../protocol/frame.js';
import type { Replica } from '../cluster/replica.js';
import type { BeatObserver, Heartbeats } from '../heartbeat/heartbeats.js';
import type { Loops } from '../lifecycle/loops.js';
import type { LinkFacts, Link } from '../registry/link.js';
import { Links, type LinkObserver } from '../registry/links.js';
import type { Agents } from './agents.js';
import type { KnownAgent } from './drift.js';
import { Drifts } from './drifts.js';
import type { StrayRepository } from './stray.repository.js';
import type { Strays } from './strays.js';

/** The watch of a replica whose rows know of nothing, with a clock and a loop that a test turns. */
function make() {
  let beat: BeatObserver = () => undefined;
  let turn: () => Promise<void> = () => Promise.resolve();
  const links = new Links();
  let observer: LinkObserver = {};
  links.observe({ closed: (link, reason) => observer.closed?.(link, reason) });
  const known = jest.fn(() => Promise.resolve<KnownAgent[]>([]));
  const take = jest.fn(() => Promise.resolve(new Map()));
  const drifts = new Drifts(
    { known } as unknown as StrayRepository,
    { take, ofBrokers: () => Promise.resolve(new Map()) } as unknown as Strays,
    {} as Agents,
    { observe: (given: BeatObserver) => (beat = given) } as unknown as Heartbeats,
    links,
    { mayAct: true, id: randomUUID() } as Replica,
    {
      make: (options: { turn: () => Promise<void> }) => {
        ({ turn } = options);
        return { start: () => undefined, wake: () => undefined };
      },
    } as unknown as Loops,
  );
  observer = {};
  drifts.start();
  const sent: string[] = [];
  const facts = { brokerId: randomUUID(), epoch: 1, capabilities: ['agents'] } as unknown as LinkFacts;
  const link = {
    facts,
    brokerId: facts.brokerId,
    epoch: 1,
    send: ({ t }: { t: string }) => sent.push(t) > 0,
  } as unknown as Link;
  links.open(link);
  return {
    drifts,
    links,
    link,
    sent,
    known,
    take,
    turn: () => turn(),
    beat: (digest?: string) =>
      beat(link, {
        t: 'heartbeat',
        health: 'online',
        load: null,
        running: 0,
        ...(digest === undefined ? {} : { agents: digest }),
      }),
  };
}

const over = (): AgentReport => ({
  agentId: randomUUID(),
  runId: randomUUID(),
  phase: 'stopped',
  exitCode: 0,
  detail: null,
  restarts: 0,
});
const digestOf = (agents: AgentReport[]) =>
  createHash('sha256').update(agentsDigestText(agents)).digest('hex');

describe('the watch over what brokers run', () => {
  it('reads no row for any heartbeat whose digest is of what was told', async () => {
    const watch = make();
    const agents = [over(), over()];
    watch.drifts.took(watch.link, { t: 'event', agents, list: 'last' });
    await watch.turn();
    expect(watch.known).toHaveBeenCalledTimes(1);

    for (let beats = 0; beats < 100; beats += 1) watch.beat(digestOf(agents));
    await watch.turn();

    expect(watch.known).toHaveBeenCalledTimes(1);
    expect(watch.sent).toEqual([]);
  });

  it('looks again at what a command explains, for as long as it is on its way', async () => {
    const watch = make();
    const told = over();
    const { agentId: id, runId } = told;
    const deleting = { id, runId, brokerId: watch.link.brokerId, phase: 'deleting' as const };
    watch.known.mockResolvedValue([{ ...deleting, isCommanded: true }]);
    watch.drifts.took(watch.link, { t: 'event', agents: [told], list: 'last' });

    for (let turns = 0; turns < 3; turns += 1) await watch.turn();
    expect(watch.known).toHaveBeenCalledTimes(3);
    watch.known.mockResolvedValue([{ ...deleting, phase: 'stopped', isCommanded: false }]);
    for (let turns = 0; turns < 3; turns += 1) await watch.turn();

    expect(watch.known).toHaveBeenCalledTimes(4);
    expect(watch.sent).toEqual([]);
  });

  it('asks for a list where a digest is of something else, and at last not at every beat', () => {
    const watch = make();
    watch.drifts.took(watch.link, { t: 'event', agents: [], list: 'last' });

    for (let beats = 0; beats < 40; beats += 1) watch.beat(digestOf([over()]));

    expect(watch.sent).toEqual([
      'agents_wanted',
      'agents_wanted',
      'agents_wanted',
      'agents_wanted',
      'agents_wanted',
    ]);
  });

  it('asks nothing of a broker that tells no digest, or does not know the frame', async () => {
    const watch = make();
    watch.beat();
    const facts = { ...watch.link.facts, brokerId: randomUUID(), capabilities: [] };
    const old = { ...watch.link, facts, brokerId: facts.brokerId } as unknown as Link;
    watch.links.open(old);
    watch.drifts.took(old, { t: 'event', agents: [over()], list: 'last' });
    await watch.turn();

    expect([watch.sent, watch.known.mock.calls]).toEqual([[], []]);
  });

  it('takes a stray for one after it has lasted, and the broker has told its list anew', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    const watch = make();
    const stray: AgentReport = { ...over(), phase: 'running' };
    const list: FrameOf<'event'> = { t: 'event', agents: [stray], list: 'last' };
    const taken = () => watch.take.mock.calls.map((call) => (call as unknown[])[2]);
    watch.drifts.took(watch.link, list);
    await watch.turn();
    watch.drifts.took(watch.link, list);
    await watch.turn();
    expect(watch.sent).toEqual([]);

    clock.mockReturnValue(3_000);
    await watch.turn();
    expect(watch.sent).toEqual(['agents_wanted']);
    await watch.turn();
    expect(taken().flat()).toEqual([]);
    watch.drifts.took(watch.link, list);
    await watch.turn();

    expect(taken().flat()).toMatchObject([{ kind: 'stranger', agentId: stray.agentId }]);
    clock.mockRestore();
  });
});
