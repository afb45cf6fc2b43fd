import { createHash, generateKeyPairSync } from 'node:crypto';
import { CLOSE_CODES, DISPLACED_BY } from '../../protocol/close-code.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { AGENTS_CAPABILITY, CONTROL_PATH, SUBPROTOCOL } from '../../protocol/version.js';
import { hold, type Rule } from '../rule.js';
import { endsWith, isTime, refusedWith } from './expectations.js';
import { HubLink } from './hub-link.js';
import type { HubStage, Refused } from './stage.js';

const JOIN = 'Before the channel: join and access token';
const HOUR_MS = 3_600_000;
const [DIGEST_OF_NONE, DIGEST_OF_OTHERS] = ['', 'others'].map((text) =>
  createHash('sha256').update(text).digest('hex'),
);

export const CHANNEL: readonly Rule<HubStage>[] = [
  {
    id: 'hub.join',
    says: 'It answers a join with 201, the ids of broker and hub, and an access token.',
    where: JOIN,
    check: async (stage) => {
      const { status, body } = await stage.join();
      const { brokerId, name, hubId, accessToken, expiresInS } = body;
      const isWhole = [brokerId, hubId, accessToken].every((text) => typeof text === 'string');
      hold(status === 201 && isWhole && Number(expiresInS) > 0, '201 with all members', { status, ...body });
      hold(name === stage.name, `the name ${stage.name}`, name);
    },
  },
  {
    id: 'hub.join-refused',
    says: 'It refuses a join token that it did not make with 401, and unknown fields with 400.',
    where: JOIN,
    check: async (stage) => {
      const other = await stage.post('/api/v1/brokers/join', stage.joinBody({ token: 'flj_of-nobody' }));
      refusedWith(other, 401, 'join_token_invalid');
      const more = await stage.post('/api/v1/brokers/join', stage.joinBody({ surplus: true }));
      hold(more.status === 400, '400 for a field more', more.status);
    },
  },
  {
    id: 'hub.assertion',
    says: 'It gives an access token for an assertion by the key of the broker, once, and for no other.',
    where: JOIN,
    check: async (stage) => {
      const assertion = stage.assertion();
      const first = await stage.exchange(assertion);
      hold(first.status === 200 && Number(first.body.expires_in) > 0, '200 and expires_in', first.body);
      refusedWith(await stage.exchange(assertion), 401, 'credential_invalid');
      const { privateKey: key } = generateKeyPairSync('ed25519');
      refusedWith(await stage.exchange(stage.assertion({ key })), 401, 'credential_invalid');
    },
  },
  {
    id: 'hub.clock',
    says: 'It tells a broker whose clock is off its own time, with 401 clock_skew.',
    where: JOIN,
    check: async (stage) => {
      const answer = await stage.exchange(stage.assertion({ skewMs: -HOUR_MS }));
      refusedWith(answer, 401, 'clock_skew');
      hold(isTime(answer.body.hubTime), 'hubTime', answer.body);
    },
  },
  ...(
    [
      ['credential-missing', 'without a credential', 401, {}],
      [
        'credential-invalid',
        'with a credential that nobody made',
        401,
        { shown: { authorization: 'DPoP nobody', dpop: 'a.proof.too' } },
      ],
    ] as const
  ).map(([name, what, status, given]): Rule<HubStage> => ({
    id: `hub.${name}`,
    says: `It refuses an upgrade ${what} with ${status}.`,
    where: 'The upgrade',
    check: async (stage) => refusedWith(await stage.upgrade(given), status, name.replace('-', '_')),
  })),
  {
    id: 'hub.proof',
    says: 'It takes a proof of the key that the access token is bound to, once, and no access token without.',
    where: 'The upgrade',
    check: async (stage) => {
      const shown = await stage.shown();
      const { authorization } = shown;
      refusedWith(await stage.upgrade({ shown: { authorization } }), 401, 'credential_missing');
      const bearer = { ...shown, authorization: authorization.replace('DPoP', 'Bearer') };
      refusedWith(await stage.upgrade({ shown: bearer }), 401, 'credential_missing');
      const other = await stage.shown({ key: generateKeyPairSync('ed25519') });
      refusedWith(await stage.upgrade({ shown: other }), 401, 'credential_invalid');
      refusedWith(await stage.upgrade({ shown: await stage.shown({ skewMs: -HOUR_MS }) }), 401, 'clock_skew');
      const link = await stage.upgrade({ shown });
      hold(link instanceof HubLink, 'the channel to be opened', link);
      if (link instanceof HubLink) link.cut();
      refusedWith(await stage.upgrade({ shown }), 401, 'credential_invalid');
    },
  },
  {
    id: 'hub.not-found',
    says: 'It answers an upgrade at another path with 404.',
    where: 'The upgrade',
    check: async (stage) => {
      const shown = await stage.shown();
      refusedWith(await stage.upgrade({ shown, path: `${CONTROL_PATH}s` }), 404, 'not_found');
    },
  },
  {
    id: 'hub.subprotocol',
    says: 'It refuses an upgrade without its subprotocol with 426, and tells which versions are served.',
    where: 'The upgrade',
    check: async (stage) => {
      const shown = await stage.shown();
      const answer = await stage.upgrade({ shown, offered: 'another.v1' });
      refusedWith(answer, 426, 'protocol_unsupported');
      const { min, max } = ((answer as Refused).body.range ?? {}) as { min?: unknown; max?: unknown };
      hold(Number(min) >= 1 && Number(max) >= Number(min), 'a range of versions', answer);
    },
  },
  {
    id: 'hub.upgrade',
    says: 'It takes the subprotocol, and no compression.',
    where: 'The upgrade',
    check: async (stage) => {
      const link = await stage.dial();
      const { protocol, extensions } = link;
      link.cut();
      hold(protocol === SUBPROTOCOL && extensions === '', SUBPROTOCOL, { protocol, extensions });
    },
  },
  {
    id: 'hub.welcome',
    says: 'It welcomes under an epoch above every one before, those that the broker tells of among them.',
    where: 'welcome',
    check: async (stage) => {
      const before = stage.lastEpoch + 1_000;
      const link = await stage.dial();
      link.send(stage.hello({ lastEpoch: before, window: 7 }));
      const { epoch, brokerId, hubTime, limits } = await link.next('welcome');
      stage.lastEpoch = epoch;
      await stage.leave(link);
      hold(epoch > before, `an epoch above ${before}`, epoch);
      hold(brokerId === stage.brokerId, 'the id of the broker', brokerId);
      hold(limits.window === 7 && isTime(hubTime), 'the window of the hello, and hubTime', {
        limits,
        hubTime,
      });
    },
  },
  ...(
    [
      ['first-frame', 'another first frame than a hello', 4400, () => '{"t":"goodbye","reason":""}'],
      [
        'hello-cap',
        'a hello of more than 16 KiB',
        4400,
        (stage) => large(stage.hello(), LIMITS.helloBytes + 1),
      ],
      [
        'epoch-cap',
        'an epoch above 2^48 that it never gave',
        4400,
        (stage) => JSON.stringify(stage.hello({ lastEpoch: LIMITS.believedMost + 1 })),
      ],
      [
        'hello-text',
        'a NUL in a label',
        4400,
        (stage) => JSON.stringify(stage.hello({ labels: { zone: '\0' } })),
      ],
      [
        'version',
        'versions that it does not speak',
        4426,
        (stage) => JSON.stringify(stage.hello({ protocol: { min: 999, max: 999 } })),
      ],
    ] as [string, string, number, (stage: HubStage) => string][]
  ).map(([name, what, code, text]): Rule<HubStage> => ({
    id: `hub.${name}`,
    says: `It ends a link with ${code} for ${what}.`,
    where: 'hello',
    check: async (stage) => {
      const link = await stage.dial();
      link.sendRaw(text(stage));
      endsWith(await link.endsWithin(), code);
    },
  })),
  {
    id: 'hub.early',
    says: 'It ends a link with 4400 for a frame between hello and welcome.',
    where: 'Order',
    check: async (stage) => {
      const link = await stage.dial();
      link.send(stage.hello());
      link.beat();
      endsWith(await link.endsWithin(), CLOSE_CODES.protocol_error);
    },
  },
  ...(
    [
      ['second-hello', 'a second hello', 'Order', (stage) => JSON.stringify(stage.hello())],
      [
        'inventory-again',
        'an inventory after its last chunk',
        'Order',
        () => '{"t":"inventory","entries":[],"last":true}',
      ],
      ['unknown-type', 'a type that it does not know', 'Frames', () => '{"t":"conformance"}'],
      ['unreadable', 'a frame that is no JSON', 'Frames', () => '{'],
      ['binary', 'a binary message', 'Frames', () => Buffer.from('{"t":"goodbye","reason":""}')],
      [
        'list-cap',
        'a list of more than 1,024 items',
        'Limits',
        (stage) =>
          JSON.stringify({
            t: 'ack',
            acks: Array.from({ length: LIMITS.batch + 1 }, () => ({ id: stage.bootId, attempt: 1 })),
          }),
      ],
      [
        'revision-cap',
        'a revision above 2^48 of which it knows nothing',
        'capabilities',
        () => JSON.stringify({ t: 'capabilities', revision: LIMITS.believedMost + 1, capabilities: [] }),
      ],
    ] as [string, string, string, (stage: HubStage) => string | Buffer][]
  ).map(([name, what, where, message]): Rule<HubStage> => ({
    id: `hub.${name}`,
    says: `It ends a link with 4400 for ${what}.`,
    where,
    check: async (stage) => {
      const link = await stage.connect();
      link.sendRaw(message(stage));
      endsWith(await link.endsWithin(), CLOSE_CODES.protocol_error);
    },
  })),
  {
    id: 'hub.frame-cap',
    says: 'It takes a frame of 1 MiB, and ends a link with 1009 for a larger one.',
    where: 'Limits',
    check: async (stage) => {
      const link = await stage.connect();
      const beat = { t: 'heartbeat', health: 'online', load: null, running: 0 };
      link.sendRaw(large(beat, LIMITS.frameBytes));
      await link.next('heartbeat_ack');
      link.sendRaw(large(beat, LIMITS.frameBytes + 1));
      endsWith(await link.endsWithin(), CLOSE_CODES.frame_too_large);
    },
  },
  {
    id: 'hub.heartbeat',
    says: 'It answers each heartbeat with its time, and ignores fields that it does not know.',
    where: 'heartbeat_ack',
    check: async (stage) => {
      const link = await stage.connect();
      link.sendRaw('{"t":"heartbeat","health":"online","load":null,"running":0,"surplus":true}');
      const { hubTime } = await link.next('heartbeat_ack');
      await stage.leave(link);
      hold(isTime(hubTime), 'an RFC 3339 time', hubTime);
    },
  },
  {
    id: 'hub.agents-wanted',
    says: 'It asks for all agents where the digest of a heartbeat is of others than it was told, and not else.',
    where: 'agents_wanted',
    check: async (stage) => {
      const link = await stage.connect({ capabilities: [AGENTS_CAPABILITY] });
      link.send({ t: 'event', agents: [], list: 'last' });
      // What the first one leads to has come before the answer to the second.
      for (let beats = 0; beats < 2; beats += 1) {
        link.beat(DIGEST_OF_NONE);
        await link.next('heartbeat_ack');
      }
      const isEarly = link.frames.all.some(({ item: frame }) => frame.t === 'agents_wanted');
      link.beat(DIGEST_OF_OTHERS);
      await link.next('agents_wanted');
      await stage.leave(link);
      hold(!isEarly, 'no question where the digest is of what was told', 'agents_wanted');
    },
  },
  {
    id: 'hub.pong',
    says: 'It answers WebSocket pings.',
    where: 'heartbeat',
    check: async (stage) => {
      const link = await stage.connect();
      link.ping();
      link.beat();
      await link.next('heartbeat_ack');
      await stage.leave(link);
      hold(link.pongs > 0, 'a pong', 'none');
    },
  },
  {
    id: 'hub.goodbye',
    says: 'It closes with 1000 after a goodbye.',
    where: 'goodbye',
    check: async (stage) => {
      const link = await stage.connect();
      link.send({ t: 'goodbye', reason: 'the rule is tried' });
      endsWith(await link.endsWithin(), CLOSE_CODES.goodbye);
    },
  },
  {
    id: 'hub.own-newer',
    says: 'It goes on reading the older link of a broker that has a newer one.',
    where: 'Rules',
    check: async (stage) => {
      const older = await stage.connect();
      const newer = await stage.connect();
      older.beat();
      await older.next('heartbeat_ack');
      older.cut();
      await stage.leave(newer);
    },
  },
  {
    id: 'hub.copy',
    says: 'It ends the older link with 4409 at once where another instance connects with the credential.',
    where: 'Close codes',
    check: async (stage) => {
      const older = await stage.connect();
      const newer = await stage.connect({ bootId: stage.journalId });
      const end = await older.endsWithin();
      await stage.leave(newer);
      endsWith(end, CLOSE_CODES.displaced);
      hold(end?.reason === DISPLACED_BY.another, DISPLACED_BY.another, end);
    },
  },
  {
    id: 'hub.capabilities',
    says: 'It takes capabilities under a greater revision, and refuses a stale one without an end of the link.',
    where: 'capabilities_ack',
    check: async (stage) => {
      const link = await stage.dial();
      link.send(stage.hello());
      const { epoch, capabilitiesRevision } = await link.next('welcome');
      stage.lastEpoch = epoch;
      const revision = capabilitiesRevision + 1;
      link.send({ t: 'inventory', entries: [], last: true });
      link.send({ t: 'capabilities', revision, capabilities: ['x.conformance.note'] });
      const taken = await link.next('capabilities_ack');
      link.send({ t: 'capabilities', revision, capabilities: [] });
      const stale = await link.next('capabilities_ack');
      await stage.leave(link);
      hold(taken.error === null && taken.stored === revision, `revision ${revision} to be stored`, taken);
      hold(stale.error?.code === 'revision_stale', 'revision_stale', stale);
    },
  },
  {
    id: 'hub.hello-late',
    says: 'It ends a link with 4408 where no hello comes within 5 s.',
    where: 'hello',
    isLong: true,
    check: async (stage) => {
      const link = await stage.dial();
      const { helloWithinMs, slackMs } = stage.pace;
      endsWith(await link.endsWithin(helloWithinMs + slackMs), CLOSE_CODES.timed_out);
    },
  },
  {
    id: 'hub.ping',
    says: 'It pings, every 15 s.',
    where: 'Limits',
    isLong: true,
    check: async (stage) => {
      const link = await stage.connect();
      const { pingMs, slackMs } = stage.pace;
      await link.frames.within(() => link.pings > 0, pingMs + slackMs);
      await stage.leave(link);
      hold(link.pings > 0, `a ping within ${pingMs + slackMs} ms`, 'none');
    },
  },
  {
    id: 'hub.ping-unanswered',
    says: 'It ends a link with 4408 where two pings in a row were not answered, and no sooner.',
    where: 'Limits',
    isLong: true,
    check: async (stage) => {
      const { pingMs, slackMs } = stage.pace;
      const link = await stage.connect({}, [], { answersPings: false });
      const end = await link.endsWithin((TIMES.unansweredPings + 2) * pingMs + slackMs);
      endsWith(end, CLOSE_CODES.timed_out);
      hold(link.pings >= TIMES.unansweredPings, `${TIMES.unansweredPings} pings before`, link.pings);
    },
  },
];

/** As large as it is told, by a field that nobody knows. */
function large(frame: object, bytes: number): string {
  const bare = { ...frame, surplus: '' };
  return JSON.stringify({ ...bare, surplus: 'x'.repeat(bytes - JSON.stringify(bare).length) });
}
