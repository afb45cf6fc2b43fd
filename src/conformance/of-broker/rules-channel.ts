import { createHash } from 'node:crypto';
import type { AgentReport, BrokerFrame } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { AGENTS_CAPABILITY } from '../../protocol/version.js';
import { hold, Skipped, type Rule } from '../rule.js';
import type { SeenLink } from './seen-link.js';
import type { BrokerStage } from './stage.js';

export const CHANNEL: readonly Rule<BrokerStage>[] = [
  {
    id: 'broker.hello',
    says: 'Its first frame is a hello, soon after the upgrade and of 16 KiB at most, and it waits for the welcome.',
    where: 'hello',
    check: async (stage) => {
      const { hub, pace } = stage;
      stage.leave(await stage.link());
      hub.isWelcoming = false;
      try {
        const link = await hub.held.next('a link', () => true, pace.linkWithinMs);
        const { hello } = link;
        hold(hello !== undefined, 'a hello as the first frame', link.frames.all[0]?.item ?? 'none');
        if (hello === undefined) return;
        const tookMs = link.helloAtMs - link.openedMs;
        hold(tookMs < pace.helloWithinMs, `a hello within ${pace.helloWithinMs} ms`, `after ${tookMs} ms`);
        const bytes = Buffer.byteLength(JSON.stringify(hello));
        hold(bytes <= LIMITS.helloBytes, `at most ${LIMITS.helloBytes} bytes`, `${bytes} bytes`);
        const { min, max } = hello.protocol;
        hold(min <= 1 && max >= 1, 'version 1 among those that it speaks', hello.protocol);
        const early = await link.frames.within(() => true, pace.quietMs);
        hold(early === undefined, 'nothing before the welcome', early);
        hub.greet(link, hello);
        await stage.nextLink();
      } finally {
        hub.isWelcoming = true;
      }
    },
  },
  {
    id: 'broker.identity',
    says: 'Its hello names the same process and journal on each link, and the newest epoch that it was welcomed with.',
    where: 'hello',
    check: async (stage) => {
      const before = await stage.link();
      const { link } = await stage.move();
      const [was, is] = [before.hello, link.hello];
      hold(was?.bootId === is?.bootId, 'the same bootId', [was?.bootId, is?.bootId]);
      hold(was?.journalId === is?.journalId, 'the same journalId', [was?.journalId, is?.journalId]);
      hold(is?.lastEpoch === before.epoch, `lastEpoch ${before.epoch}`, is?.lastEpoch);
    },
  },
  {
    id: 'broker.epoch-grows',
    says: 'It refuses a welcome whose epoch did not grow.',
    where: 'welcome',
    check: async (stage) => {
      const { hub, pace } = stage;
      const left = await stage.link();
      hub.welcome = { epoch: hub.newestEpoch };
      try {
        stage.leave(left);
        const link = await hub.links.next('another link', () => true, pace.linkWithinMs);
        hub.welcome = {};
        const end = await link.endsWithin(pace.withinMs);
        const taken = link.frames.all.map(({ item }) => item).find(({ t }) => t === 'inventory');
        hold(taken === undefined, 'no inventory on it', taken);
        hold(end !== undefined, 'the link to be ended', 'it stays open');
        await stage.nextLink();
        left.socket.close(1001, 'going away');
      } finally {
        hub.welcome = {};
      }
    },
  },
  {
    id: 'broker.inventory',
    says: 'Its first frame after the welcome is an inventory, up to its last chunk.',
    where: 'inventory',
    check: async (stage) => {
      const { link } = await stage.move();
      const first = link.frames.all[1]?.item;
      hold(first?.t === 'inventory', 'an inventory', first ?? 'nothing');
    },
  },
  {
    id: 'broker.heartbeat',
    says: 'It beats as often as the welcome says, for the first time right after the inventory.',
    where: 'heartbeat',
    check: async (stage) => {
      const { hub, pace } = stage;
      hub.welcome = { heartbeatMs: pace.heartbeatMs };
      try {
        const { link } = await stage.move();
        let lastMs = performance.now();
        for (let beat = 0; beat < 3; beat += 1) {
          await link.next('heartbeat');
          const gapMs = performance.now() - lastMs;
          const most = (beat === 0 ? 0 : pace.heartbeatMs) + pace.slackMs;
          hold(gapMs <= most, `a heartbeat within ${most} ms`, `after ${gapMs.toFixed()} ms`);
          lastMs = performance.now();
        }
      } finally {
        hub.welcome = {};
      }
    },
  },
  {
    id: 'broker.agents',
    says: 'After the inventory, and when it is asked, it tells all agents as a list, whose digest its heartbeats have.',
    where: 'event',
    check: async (stage) => {
      const { hub, pace } = stage;
      const { hello } = await stage.link();
      if (hello?.capabilities.includes(AGENTS_CAPABILITY) !== true)
        throw new Skipped(`the broker does not have the capability ${AGENTS_CAPABILITY}, which it need not`);
      hub.welcome = { heartbeatMs: pace.heartbeatMs };
      try {
        const { link } = await stage.move();
        await listed(link, pace.withinMs);
        link.send({ t: 'agents_wanted' });
        const digest = digestOf(await listed(link, pace.withinMs));
        const isIt = (frame: BrokerFrame): boolean => frame.t === 'heartbeat' && frame.agents === digest;
        await link.frames.next(`a heartbeat with the digest ${digest}`, isIt, pace.withinMs);
      } finally {
        hub.welcome = {};
      }
    },
  },
  {
    id: 'broker.unknown-field',
    says: 'It ignores fields that it does not know.',
    where: 'Frames',
    check: async (stage) => {
      // Every frame of this hub has one.
      const { link } = await stage.ended();
      hold(link.isOpen, 'the link to go on', 'it ended');
    },
  },
  ...(
    [
      ['unknown-type', 'a frame of a type that it does not know', '{"t":"conformance"}'],
      ['unreadable', 'a frame that is no JSON', '{'],
      ['binary', 'a binary message', Buffer.from('{"t":"inventory_ok"}')],
    ] as const
  ).map(([name, what, message]): Rule<BrokerStage> => ({
    id: `broker.${name}`,
    says: `It ends a link with 4400 for ${what}.`,
    where: 'Frames',
    check: async (stage) => {
      const link = await stage.fresh();
      link.socket.send(message);
      const end = await link.endsWithin(stage.pace.withinMs);
      hold(end?.code === 4400, 'the link to end with 4400', end ?? 'it stays open');
      await stage.nextLink();
    },
  })),
  {
    id: 'broker.frame-cap',
    says: 'It takes a frame of 1 MiB, and ends a link with 1009 for a larger one.',
    where: 'Limits',
    check: async (stage) => {
      const link = await stage.fresh();
      link.sendText(ofBytes(LIMITS.frameBytes));
      await stage.ended();
      link.sendText(ofBytes(LIMITS.frameBytes + 1));
      const end = await link.endsWithin(stage.pace.withinMs);
      hold(end?.code === 1009, 'the link to end with 1009', end ?? 'it stays open');
      await stage.nextLink();
    },
  },
  {
    id: 'broker.pong',
    says: 'It answers WebSocket pings.',
    where: 'heartbeat',
    check: async (stage) => {
      const link = await stage.link();
      const before = link.pongs;
      link.socket.ping();
      // A command is answered after it.
      await stage.ended();
      hold(link.pongs > before, 'a pong', 'none');
    },
  },
  {
    id: 'broker.ping',
    isLong: true,
    says: 'It pings, every 15 s.',
    where: 'Limits',
    check: async (stage) => {
      const { link } = await stage.move();
      const { pingMs, slackMs } = stage.pace;
      await link.frames.within(() => link.pings > 0, pingMs + slackMs);
      hold(link.pings > 0, `a ping within ${pingMs + slackMs} ms`, 'none');
    },
  },
  {
    id: 'broker.silence',
    says: 'It begins nothing, and ends the link, when it heard nothing of the hub for livenessMs.',
    where: 'Rules',
    check: async (stage) => {
      const { hub, pace } = stage;
      await stage.fresh();
      hub.welcome = { livenessMs: pace.livenessMs, heartbeatMs: pace.heartbeatMs };
      try {
        const { link } = await stage.move();
        hub.welcome = {};
        link.isSilent = true;
        await link.endsWithin(pace.livenessMs * 1.25);
        const item = link.give();
        const heard = await link.hears(item.id);
        hold(heard === undefined, 'the command not to be begun', heard);
        const end = await link.endsWithin(pace.withinMs);
        hold(end !== undefined, 'the link to be ended', 'it stays open');
        await stage.nextLink();
      } finally {
        hub.welcome = {};
      }
    },
  },
];

/** All agents, by the next list. @throws Broken where none comes to its end */
async function listed(link: SeenLink, withinMs: number): Promise<AgentReport[]> {
  const isPart = (frame: BrokerFrame) => frame.t === 'event' && frame.list !== undefined;
  const agents: AgentReport[] = [];
  for (;;) {
    const frame = await link.frames.next('a list of all agents, up to its last part', isPart, withinMs);
    if (frame.t !== 'event') continue;
    agents.push(...frame.agents);
    if (frame.list === 'last') return agents;
  }
}

function digestOf(agents: readonly AgentReport[]): string {
  const lines = agents.map(({ agentId, runId, phase }) => `${agentId} ${runId} ${phase}\n`);
  return createHash('sha256').update(lines.sort().join('')).digest('hex');
}

/** A frame of so many bytes that means nothing. */
function ofBytes(bytes: number): string {
  const frame = { t: 'heartbeat_ack', hubTime: new Date().toISOString(), surplus: '' };
  return JSON.stringify({ ...frame, surplus: 'x'.repeat(bytes - JSON.stringify(frame).length) });
}
