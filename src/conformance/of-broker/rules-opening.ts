import { createHash, createPublicKey, verify } from 'node:crypto';
import { CONTROL_PATH, SUBPROTOCOL } from '../../protocol/version.js';
import { isUuid } from '../../protocol/read.js';
import { hold, type Rule } from '../rule.js';
import type { Upgrade } from './played-hub.js';
import type { BrokerStage } from './stage.js';

const JOIN_FIELDS = ['token', 'publicKey', 'name', 'fingerprint', 'software', 'labels'];
const ASSERTION_MOST_S = 60;
const HOUR_MS = 3_600_000;
/** What the clocks of two machines that are set well may differ by. */
const CLOCKS_S = 120;

type Claims = Record<string, unknown>;

export const OPENING: readonly Rule<BrokerStage>[] = [
  {
    id: 'broker.join',
    says: 'It joins with a public key of 32 bytes, a name, a fingerprint and its software, and no other fields.',
    where: 'Before the channel: join and access token',
    check: async ({ hub, pace }) => {
      await hub.upgrades.within(() => true, pace.linkWithinMs);
      const { token, publicKey, name, fingerprint, software, ...others } = hub.joins[0]?.body ?? {};
      hold(hub.joins.length > 0, 'a join', 'none');
      hold(token === hub.joinToken, 'the join token', 'another text');
      hold(bytesOf(publicKey) === 32, 'a public key of 43 characters in base64url', publicKey);
      hold(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(String(name)), 'a name of small letters', name);
      hold(/^[0-9a-f]{64}$/.test(String(fingerprint)), 'a fingerprint of 64 hexadecimal digits', fingerprint);
      hold(/^[^/]+\/[^/]+$/.test(String(software)), 'the software as name/version', software);
      const unknown = Object.keys(others).filter((field) => !JOIN_FIELDS.includes(field));
      hold(unknown.length === 0, 'no other fields', unknown);
    },
  },
  {
    id: 'broker.upgrade',
    says: 'It asks for the channel with its access token, the subprotocol, and no compression.',
    where: 'The upgrade',
    check: async (stage) => {
      await stage.link();
      const headers: Upgrade['headers'] = stage.hub.upgrades.all[0]?.item.headers ?? {};
      const { authorization, 'sec-websocket-protocol': offered, 'sec-websocket-extensions': more } = headers;
      hold(/^DPoP conformance-\d+$/.test(authorization ?? ''), 'Authorization: DPoP', authorization);
      hold(offered?.split(/, */).includes(SUBPROTOCOL) === true, `the subprotocol ${SUBPROTOCOL}`, offered);
      hold(more === undefined, 'no extensions', more);
    },
  },
  {
    id: 'broker.proof',
    says: 'It proves its key anew with each upgrade, for this upgrade and this access token.',
    where: 'The upgrade',
    check: async (stage) => {
      await stage.link();
      await stage.refuse({ status: 503, code: 'database_unavailable' });
      await stage.nextLink();
      const { hub } = stage;
      const ids = new Set<unknown>();
      for (const { item } of hub.upgrades.all) {
        const { authorization = '', dpop } = item.headers;
        const { header, claims, isSigned } = openSigned(dpop, hub.joins[0]?.body);
        hold(header.typ === 'dpop+jwt' && header.alg === 'EdDSA', 'the header of a proof', header);
        const { x } = (header.jwk ?? {}) as Claims;
        hold(isSigned && x === hub.joins[0]?.body.publicKey, 'a proof by the key of the join', header);
        const { htm, htu, ath, iat, jti } = claims;
        hold(htm === 'GET' && String(htu).endsWith(CONTROL_PATH), 'htm and htu of the upgrade', { htm, htu });
        const hash = createHash('sha256')
          .update(authorization.replace(/^DPoP /i, ''))
          .digest('base64url');
        hold(ath === hash, 'the hash of the access token as ath', ath);
        hold(Math.abs(Number(iat) - Date.now() / 1_000) < CLOCKS_S, 'iat to be the time', iat);
        hold(isUuid(jti) && !ids.has(jti), 'a jti that is a lower-case UUID, used once', jti);
        ids.add(jti);
      }
      hold(ids.size > 1, 'two upgrades', ids.size);
    },
  },
  {
    id: 'broker.renews-4401',
    says: 'It asks for a new access token, and connects again, when its link ends with 4401.',
    where: 'Close codes',
    check: async (stage) => {
      const link = await stage.link();
      const asked = stage.hub.assertions.length;
      link.socket.close(4401, 'credential_expired');
      const next = await stage.nextLink();
      hold(stage.hub.assertions.length > asked, 'a new access token to be asked for', 'no assertion');
      hold(next.link.token !== link.token, 'the new token', 'the one that had ended');
    },
  },
  {
    id: 'broker.assertion',
    says: 'It signs each assertion with its key, for a minute at most, under an id that it uses once.',
    where: 'Before the channel: join and access token',
    check: async (stage) => {
      const { hub } = stage;
      const link = await stage.fresh();
      // What is tried again is signed anew.
      hub.tokenRefusals.push({ status: 503, code: 'database_unavailable' });
      link.socket.close(4401, 'credential_expired');
      await stage.nextLink();
      hold(hub.assertions.length > 1, 'two assertions', `${hub.assertions.length}`);
      const ids = new Set<unknown>();
      for (const { body } of hub.assertions) {
        hold(body.grant_type === 'client_credentials', 'the grant client_credentials', body.grant_type);
        const { header, claims, isSigned } = openSigned(body.client_assertion, hub.joins[0]?.body);
        hold(header.alg === 'EdDSA', 'the header {"alg":"EdDSA"}', header);
        hold(isSigned, 'a signature by the key of the join', 'another');
        const { iss, sub, aud, iat, exp, jti } = claims;
        hold(iss === hub.brokerId && sub === hub.brokerId, 'iss and sub to be the brokerId', { iss, sub });
        hold(aud === hub.hubId, 'aud to be the hubId', aud);
        hold(Number(exp) - Number(iat) <= ASSERTION_MOST_S, 'exp within 60 s of iat', { iat, exp });
        hold(isUuid(jti) && !ids.has(jti), 'a jti that is a lower-case UUID, used once', jti);
        ids.add(jti);
      }
    },
  },
  {
    id: 'broker.clock',
    says: 'It signs once more by the clock of the hub when it is told 401 clock_skew.',
    where: 'Before the channel: join and access token',
    check: async (stage) => {
      const { hub } = stage;
      const link = await stage.fresh();
      const asked = hub.assertions.length;
      const hubMs = Date.now() + HOUR_MS;
      const hubTime = new Date(hubMs).toISOString();
      hub.tokenRefusals.push({ status: 401, code: 'clock_skew', hubTime });
      link.socket.close(4401, 'credential_expired');
      await stage.nextLink();
      const again = hub.assertions[asked + 1]?.body;
      hold(again !== undefined, 'a second assertion', 'none');
      const { iat } = openSigned(again?.client_assertion, hub.joins[0]?.body).claims;
      const offS = Math.abs(Number(iat) - hubMs / 1_000);
      hold(
        offS < CLOCKS_S,
        `iat by the hub's clock, ${hubTime}`,
        new Date(Number(iat) * 1_000).toISOString(),
      );
    },
  },
  {
    id: 'broker.renews-401',
    says: 'It asks for a new access token once, at once, when an upgrade is refused with 401.',
    where: 'The upgrade',
    check: async (stage) => {
      const { token } = await stage.fresh();
      const refused = await stage.refuse({ status: 401, code: 'credential_invalid' });
      const next = await stage.upgradeAfter(refused, stage.pace.withinMs);
      hold(next !== undefined, 'another upgrade soon', 'none');
      const shown = next?.upgrade.headers.authorization ?? '';
      hold(shown !== `DPoP ${token}`, 'a new token', 'the one that was refused');
      await stage.nextLink();
    },
  },
  {
    id: 'broker.joins-once',
    says: 'It joins once in its life, and keeps its membership when it is started again.',
    where: 'Before the channel: join and access token',
    check: async (stage) => {
      const { link } = await stage.anew();
      hold(stage.hub.joins.length === 1, 'one join', `${stage.hub.joins.length} joins`);
      hold(link.isOpen, 'a link', 'none');
    },
  },
  ...[429, 503].map((status): Rule<BrokerStage> => ({
    id: `broker.retry-after-${status}`,
    says: `It comes again no sooner than Retry-After says, when it is refused with ${status}.`,
    where: 'Reconnecting',
    check: async (stage) => {
      const { retryAfterMs, linkWithinMs } = stage.pace;
      const refused = await stage.refuse({ status, code: 'later', retryAfterMs });
      const next = await stage.upgradeAfter(refused, linkWithinMs);
      hold(next !== undefined, 'another upgrade', 'none');
      const afterMs = next?.afterMs ?? 0;
      hold(afterMs >= retryAfterMs, `none within ${retryAfterMs} ms`, `one after ${afterMs} ms`);
      await stage.nextLink();
    },
  })),
  {
    id: 'broker.backoff',
    says: 'It waits between attempts for a random time, up to 1 s first and twice that after each failure.',
    where: 'Reconnecting',
    check: async (stage) => {
      const { reconnectBaseMs, slackMs } = stage.pace;
      await stage.anew();
      const refusal = { status: 503, code: 'database_unavailable' };
      let before = await stage.refuse(refusal, { ...refusal }, { ...refusal });
      const parts: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        const bound = reconnectBaseMs * 2 ** round;
        const next = await stage.upgradeAfter(before, bound + slackMs);
        hold(next !== undefined, `another upgrade within ${bound + slackMs} ms`, 'none');
        if (next === undefined) return;
        parts.push(next.afterMs / bound);
        before = next.upgrade;
      }
      // By chance this is so once in some ten thousand times.
      const isByChance = parts.some((part) => part < 0.95);
      hold(isByChance, 'waits that chance makes shorter than their bound', `${parts.join(', ')} of it`);
      await stage.nextLink();
    },
  },
];

function bytesOf(text: unknown): number {
  if (typeof text !== 'string' || !/^[\w-]{43}$/.test(text)) return 0;
  return Buffer.from(text, 'base64url').length;
}

/** What a JWT says, and whether the key of the join has signed it. */
export function openSigned(
  compact: unknown,
  join: Record<string, unknown> | undefined,
): { header: Claims; claims: Claims; isSigned: boolean } {
  const [header = '', claims = '', signature = ''] = String(compact).split('.');
  try {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: String(join?.publicKey) };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const bytes = Buffer.from(signature, 'base64url');
    const isSigned = verify(null, Buffer.from(`${header}.${claims}`), key, bytes);
    return { header: decoded(header), claims: decoded(claims), isSigned };
  } catch {
    return { header: {}, claims: {}, isSigned: false };
  }
}

function decoded(part: string): Claims {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims;
}
