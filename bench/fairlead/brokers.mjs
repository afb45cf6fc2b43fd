/**
 * Brokers without runtimes or journals, any number in one process: each on a WebSocket of its own. They ack and answer
 * a frame of dispatches at once and in lists, so that what is measured is the hub.
 */
import { createHash, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { WebSocket } from 'ws';
import { answerParent } from '../child.mjs';

const JOINS_AT_ONCE = 32;
const WINDOW = 1_024;
const sockets = [];

async function post(url, path, body, token) {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

async function join(url, token) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { brokerId, accessToken } = await post(url, '/api/v1/brokers/join', {
    token,
    publicKey: publicKey.export({ format: 'jwk' }).x,
    name: `bench-${randomUUID()}`,
    fingerprint: 'b'.repeat(64),
    software: 'bench/1',
  });
  await connect(url, accessToken, privateKey);
  return brokerId;
}

/** A proof of the key for one upgrade (RFC 9449). */
function proofOf(url, token, key) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const head = { typ: 'dpop+jwt', alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x } };
  const ath = createHash('sha256').update(token).digest('base64url');
  const iat = Math.floor(Date.now() / 1000);
  const claims = { htm: 'GET', htu: `${url}/api/v1/control`, ath, iat, jti: randomUUID() };
  const signed = `${encode(head)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

async function connect(url, accessToken, key) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/control`, 'fairlead.v1', {
    headers: { authorization: `DPoP ${accessToken}`, dpop: proofOf(url, accessToken, key) },
    perMessageDeflate: false,
  });
  sockets.push(socket);
  const tell = (frame) => socket.send(JSON.stringify(frame));
  await new Promise((resolve, reject) => {
    socket.once('open', () =>
      tell({
        t: 'hello',
        protocol: { min: 1, max: 1 },
        bootId: randomUUID(),
        journalId: randomUUID(),
        lastEpoch: 0,
        software: 'bench/1',
        capabilities: [],
        labels: {},
        window: WINDOW,
        health: 'online',
      }),
    );
    socket.once('error', reject);
    socket.once('close', (code, reason) => reject(new Error(`the hub closed a link: ${code} ${reason}`)));
    socket.on('message', (data) => {
      const frame = JSON.parse(data.toString('utf8'));
      if (frame.t === 'dispatch') work(tell, frame.dispatches);
      else if (frame.t === 'welcome') {
        tell({ t: 'inventory', entries: [], last: true });
        setInterval(() => {
          if (socket.readyState === WebSocket.OPEN)
            tell({ t: 'heartbeat', health: 'online', load: null, running: 0 });
        }, frame.heartbeatMs);
      } else if (frame.t === 'inventory_ok') resolve();
    });
  });
}

function work(tell, dispatches) {
  const body = { time: new Date().toISOString() };
  tell({ t: 'ack', acks: dispatches.map(({ id, attempt }) => ({ id, attempt })) });
  tell({
    t: 'result',
    results: dispatches.map(({ id, attempt }) => ({ id, attempt, outcome: 'succeeded', body })),
  });
}

answerParent({
  /** Joins so many more brokers through a replica and links them to it. @returns their ids */
  async join({ url, administratorToken, count }) {
    const { token } = await post(url, '/api/v1/join-tokens', { seats: count }, administratorToken);
    const ids = [];
    let begun = 0;
    const slot = async () => {
      while (begun < count) {
        begun += 1;
        ids.push(await join(url, token));
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, JOINS_AT_ONCE) }, slot));
    return ids;
  },
  end: () => sockets.forEach((socket) => socket.terminate()),
});
