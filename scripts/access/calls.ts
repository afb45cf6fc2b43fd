/** How each route is asked: what stands for its parameters, and what its body is. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { connect } from 'node:http2';
import { request as httpRequest } from 'node:http';
import type { JWK } from 'jose';
import { proofFields } from '../../src/broker/proof.js';
import { SELF_PATH, LINK_PATH, RELAY_PREFIX, WAKE_PATH } from '../../src/hub/cluster/peers/paths.js';
import { signatureOf, type Purpose } from '../../src/hub/cluster/peers/signature.js';
import { DRAIN_PATH } from '../../src/hub/drain/local.js';
import {
  AGENT_TOKENS_PATH,
  CONTROL_PATH,
  JOIN_PATH,
  POLL_PATH,
  ROTATE_KEY_PATH,
  SUBPROTOCOL,
} from '../../src/protocol/version.js';
import { exchangeOf, type Shown } from './credentials.js';
import type { Stage } from './stage.js';

export type Line = {
  readonly listener: 'public' | 'internal';
  readonly method: string;
  readonly path: string;
  /** @returns the status that is answered */
  readonly ask: (shown: Shown) => Promise<number>;
};

const TOKEN_PATH = '/api/v1/brokers/token';

/** Every way into a hub. */
export function linesOf(stage: Stage): Line[] {
  const routes = [...stage.running.routes].map(({ method, path }) => publicLine(stage, method, path));
  const upgrade: Line = {
    listener: 'public',
    method: 'UPGRADE',
    path: CONTROL_PATH,
    ask: (shown) => upgradeStatus(stage, shown),
  };
  const all = [...routes, upgrade].sort((one, other) =>
    `${one.path} ${one.method}` < `${other.path} ${other.method}` ? -1 : 1,
  );
  return [...all, ...internalLines(stage)];
}

function publicLine(stage: Stage, method: string, path: string): Line {
  const bodyOf = (shown: Shown): object | undefined => {
    if (method === 'GET' || method === 'DELETE') return undefined;
    if (path === JOIN_PATH) return stage.joining(shown.token);
    if (path === TOKEN_PATH) return exchangeOf(shown.token);
    // Of an agent that there is not: whoever is let in is told so.
    if (path === AGENT_TOKENS_PATH) return { agentId: randomUUID(), runId: randomUUID() };
    // A hello that is none: whoever is let in is told so, and sent off.
    if (path === POLL_PATH) return { connectionId: null, first: 1, frames: [{ type: 'none' }], received: 0 };
    return {};
  };
  return {
    listener: 'public',
    method,
    path,
    ask: async (shown) => {
      const target = path.replace(/:\w+/g, randomUUID()).replace('*', 'index.html');
      const rotation = path === ROTATE_KEY_PATH ? await rotationOf(stage, shown.token ?? '') : undefined;
      const body = rotation?.body ?? bodyOf(shown);
      const text = JSON.stringify(body) ?? '';
      const call = { method, path: target, purpose: 'drain', body: text } as const;
      const headers = {
        ...(await headersOf(stage, shown, call)),
        ...rotation?.headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const once = async (): Promise<number> => {
        const sent = body === undefined ? {} : { body: text };
        const response = await fetch(`${stage.running.publicUrl}${target}`, { method, headers, ...sent });
        await response.arrayBuffer();
        return response.status;
      };
      const status = await once();
      return isReplay(shown) ? once() : status;
    },
  };
}

/** What asks for another key of a broker: the assertion by the one that it has, and a proof of the new one, beside all that is shown. */
async function rotationOf(
  stage: Stage,
  assertion: string,
): Promise<{ body: object; headers: Record<string, string> }> {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK;
  const showing = { method: 'POST', path: ROTATE_KEY_PATH } as const;
  const { dpop } = await proofFields(jwk, assertion, stage.running.publicUrl, showing, Date.now());
  return { body: { assertion, publicKey: jwk.x }, headers: { dpop } };
}

async function upgradeStatus(stage: Stage, shown: Shown): Promise<number> {
  const call = { method: 'GET', path: CONTROL_PATH, purpose: 'link', body: '' } as const;
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    'sec-websocket-protocol': SUBPROTOCOL,
    ...(await headersOf(stage, shown, call)),
  };
  const status = await upgradeOnce(stage, headers);
  return isReplay(shown) ? upgradeOnce(stage, headers) : status;
}

function upgradeOnce(stage: Stage, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${stage.running.publicUrl}${CONTROL_PATH}`, { headers });
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    request.once('error', reject);
    request.end();
  });
}

function internalLines(stage: Stage): Line[] {
  const line = (method: string, path: string, purpose: Purpose, body = '', shownAs = path): Line => ({
    listener: 'internal',
    method,
    path: shownAs,
    ask: (shown) => internalStatus(stage, { method, path, purpose, body }, shown),
  });
  const caller = JSON.stringify({ replica: randomUUID() });
  return [
    line('GET', '/metrics', 'drain'),
    line('POST', LINK_PATH, 'link', caller),
    line('POST', SELF_PATH, 'self'),
    line('POST', WAKE_PATH, 'wake'),
    line('POST', `${RELAY_PREFIX}poll`, 'relay', '{}', `${RELAY_PREFIX}*`),
    // Whoever is let in is told that this is no deadline: nothing is drained.
    line('POST', `${DRAIN_PATH}?deadline=0`, 'drain', '', DRAIN_PATH),
  ];
}

type Call = { method: string; path: string; purpose: Purpose; body: string };

/** Over HTTP/2, as replicas talk to each other; a drain is the one call that is made over HTTP/1. */
async function internalStatus(stage: Stage, call: Call, shown: Shown): Promise<number> {
  const headers = await headersOf(stage, shown, call);
  const once = call.path.startsWith(DRAIN_PATH)
    ? () => fetchStatus(stage, call, headers)
    : () => http2Status(stage, call, headers);
  const status = await once();
  return shown.signature === 'replayed' ? once() : status;
}

async function fetchStatus(
  stage: Stage,
  { method, path }: Call,
  headers: Record<string, string>,
): Promise<number> {
  const response = await fetch(`${stage.internalUrl}${path}`, { method, headers });
  await response.arrayBuffer();
  return response.status;
}

async function http2Status(stage: Stage, call: Call, headers: Record<string, string>): Promise<number> {
  const session = connect(stage.internalUrl);
  try {
    return await new Promise<number>((resolve, reject) => {
      session.once('error', reject);
      const head = { ':method': call.method, ':path': call.path, ...headers };
      const stream = session.request(head, { endStream: false });
      stream.once('response', ({ ':status': status }) => resolve(Number(status)));
      stream.once('error', reject);
      stream.end(call.body);
    });
  } finally {
    session.destroy();
  }
}

const isReplay = ({ proof }: Shown): boolean => proof?.kind === 'replayed';

async function headersOf(stage: Stage, shown: Shown, call: Call): Promise<Record<string, string>> {
  if (shown.browser !== undefined) return { cookie: shown.browser.cookie, ...shown.browser.headers };
  if (shown.signature !== undefined) return signedHeaders(stage, shown.signature, call);
  const { token, proof } = shown;
  if (token !== undefined && proof !== undefined) return provenHeaders(stage, token, proof, call);
  const authorization = shown.header ?? (shown.token === undefined ? undefined : `Bearer ${shown.token}`);
  return authorization === undefined ? {} : { authorization };
}

async function provenHeaders(
  stage: Stage,
  token: string,
  { key, kind }: NonNullable<Shown['proof']>,
  call: Call,
): Promise<Record<string, string>> {
  if (kind === 'none') return { authorization: `DPoP ${token}` };
  const signer = kind === 'of another key' ? generateKeyPairSync('ed25519').privateKey : key;
  const path = kind === 'of another route' ? `${call.path}/other` : call.path;
  const madeAtMs = kind === 'stale' ? Date.now() - 120_000 : Date.now();
  const showing = { method: call.method as 'GET' | 'POST', path };
  const jwk = signer.export({ format: 'jwk' }) as JWK;
  return proofFields(jwk, token, stage.running.publicUrl, showing, madeAtMs);
}

const OTHER_PURPOSE: Record<Purpose, Purpose> = {
  link: 'drain',
  relay: 'link',
  wake: 'link',
  drain: 'link',
  self: 'link',
};
const STALE_MS = 120_000;

function signedHeaders(
  stage: Stage,
  kind: NonNullable<Shown['signature']>,
  { method, path, purpose, body }: Call,
): Record<string, string> {
  const secret = kind === 'of another secret' ? Buffer.alloc(32, 7) : stage.clusterSecret;
  const target = kind === 'for another replica' ? randomUUID() : stage.running.replicaId;
  const signed = kind === 'of another purpose' ? OTHER_PURPOSE[purpose] : purpose;
  const timestampMs = Date.now() - (kind === 'stale' ? STALE_MS : 0);
  const nonce = randomUUID();
  const call = { purpose: signed, target, method, path, timestampMs, nonce, body: Buffer.from(body) };
  return {
    'fairlead-purpose': signed,
    'fairlead-target': target,
    'fairlead-timestamp': String(timestampMs),
    'fairlead-nonce': nonce,
    'fairlead-signature': signatureOf(secret, call),
  };
}
