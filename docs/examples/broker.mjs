/**
 * A broker in plain JavaScript, written from ../control-channel.md alone. It needs Node and the package `ws`.
 *
 *     HUB_URL=http://127.0.0.1:8080 JOIN_TOKEN=... node broker.mjs <folder>     without the token from the second time on
 *
 * Beside `broker.ping` it has two ops of its own, which write into `notes.txt`: `x.note.append {text}`, and
 * `x.note.later {text, afterMs}`, which can be cancelled.
 */
import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';

const [folder, hub, bootId] = [process.argv[2] ?? '.', process.env.HUB_URL, randomUUID()];
const append = (text) => fs.appendFileSync(`${folder}/notes.txt`, `${text}\n`);
const ops = {
  'broker.ping': () => ({ time: new Date().toISOString() }),
  'x.note.append': ({ text }) => append(text),
  'x.note.later': ({ text, afterMs }, signal) =>
    wait(afterMs, undefined, { signal }).then(() => append(text)),
};

// The journal is a line of JSON for each change of a record; the last one counts. Confirmed ones are dropped after a day.
fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
const journalPath = `${folder}/journal.jsonl`;
const [records, running, turns] = [new Map(), new Map(), new Map()];
let about = { journalId: randomUUID(), lastEpoch: 0 };
// What stands behind the last newline was cut short by a crash, and nobody was told of it.
const kept = fs.existsSync(journalPath) ? fs.readFileSync(journalPath, 'utf8').split('\n').slice(0, -1) : [];
for (const { meta, ...record } of kept.map((line) => JSON.parse(line))) {
  if (meta === undefined) records.set(record.id, record);
  else about = meta;
}
const isLive = ({ confirmedAt }) => !confirmedAt || confirmedAt > Date.now() - 24 * 3600 * 1000;
const linesOf = (entries) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
store(journalPath, linesOf([{ meta: about }, ...[...records.values()].filter(isLive)]));
const journal = fs.openSync(journalPath, 'a');
function keep(record) {
  if (record.id !== undefined) records.set(record.id, record);
  fs.writeSync(journal, linesOf([record]));
  fs.fsyncSync(journal);
}
function store(path, text) {
  fs.writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
  fs.renameSync(`${path}.new`, path);
}

async function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(hub + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status });
  return answer.json();
}

/** Who it is. The key is on disk before the join, so that a join that was cut short can be repeated. */
async function membership() {
  const [keyPath, path] = [`${folder}/key.pem`, `${folder}/broker.json`];
  const makeKey = () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  if (!fs.existsSync(keyPath)) store(keyPath, makeKey());
  const key = createPrivateKey(fs.readFileSync(keyPath));
  if (!fs.existsSync(path)) {
    const fingerprint = createHash('sha256').update(hostname()).digest('hex');
    const self = { name: process.env.BROKER_NAME ?? 'example', fingerprint, software: 'example/1.0' };
    const publicKey = key.export({ format: 'jwk' }).x;
    const joined = await post('/api/v1/brokers/join', { token: process.env.JOIN_TOKEN, publicKey, ...self });
    store(path, JSON.stringify(joined));
  }
  return { key, ...JSON.parse(fs.readFileSync(path, 'utf8')) };
}

async function accessToken({ key, brokerId, hubId }) {
  const [encode, iat] = [(part) => Buffer.from(part).toString('base64url'), Math.floor(Date.now() / 1000)];
  const claims = { iss: brokerId, sub: brokerId, aud: hubId, iat, exp: iat + 55, jti: randomUUID() };
  const signed = `${encode('{"alg":"EdDSA"}')}.${encode(JSON.stringify(claims))}`;
  const { access_token: token } = await post('/api/v1/brokers/token', {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: `${signed}.${encode(sign(null, Buffer.from(signed), key))}`,
  });
  return token;
}

let [link, heardAt, isStopping] = [undefined, 0, false]; // The link is the newest one that was welcomed.
const send = (frame) => link?.readyState === WebSocket.OPEN && link.send(JSON.stringify(frame));
const tell = ({ id, attempt, end }) => end && send({ t: 'result', results: [{ id, attempt, ...end }] });
const cancelled = { outcome: 'cancelled' };
const failed = (code, message) => ({ outcome: 'failed', error: { code, message, retryable: false } });
const lost = failed('outcome_unknown', 'It was begun by an earlier life of the broker.');

/** What is new is journaled, acked and begun; what is known is acked, and answered from the journal. */
function take({ remainingMs, ...item }) {
  const known = records.get(item.id);
  const mayPass = known?.end?.error?.retryable && item.attempt > known.attempt;
  const isNew = !running.has(item.id) && (!known?.end || mayPass);
  keep(isNew ? { ...item, end: null } : { ...known, attempt: item.attempt });
  send({ t: 'ack', acks: [{ id: item.id, attempt: item.attempt }] });
  if (isNew) begin(item, Date.now() + remainingMs);
  else tell(records.get(item.id));
}

/** Commands of one key go one after another. */
function begin({ id, op, args, key }, deadlineAt) {
  const cancelling = new AbortController();
  running.set(id, cancelling);
  const turn = Promise.resolve(turns.get(key)).then(async () => {
    const end = await endOf(op, args, cancelling.signal, deadlineAt);
    running.delete(id);
    keep({ ...records.get(id), args: {}, end });
    tell(records.get(id));
  });
  if (key !== null) turns.set(key, turn);
}

async function endOf(op, args, signal, deadlineAt) {
  while (!signal.aborted && Date.now() - heardAt > 45_000) await wait(500); // A machine that slept hears of its hub first.
  if (signal.aborted) return cancelled;
  if (Date.now() > deadlineAt) return failed('deadline_passed', 'The deadline passed before it was begun.');
  if (!Object.hasOwn(ops, op)) return failed('op_unknown', `This broker does not know the op ${op}.`);
  try {
    return { outcome: 'succeeded', body: (await ops[op](args, signal)) ?? null };
  } catch (error) {
    return signal.aborted ? cancelled : failed('op_failed', String(error.message).slice(0, 4096));
  }
}

/** What is not known leaves a tombstone; of what is lost nobody can say that it was stopped. */
function cancel({ id, attempt }) {
  const known = records.get(id) ?? { op: 'unknown', args: {}, key: null, end: cancelled };
  keep({ ...known, id, attempt, end: known.end ?? (running.has(id) ? null : lost) });
  running.get(id)?.abort();
  tell(records.get(id));
}

function confirm(id) {
  const known = records.get(id);
  if (known && !running.has(id))
    keep({ ...known, args: {}, end: known.end ?? lost, confirmedAt: Date.now() });
}

const unconfirmed = () => [...records.values()].filter(({ confirmedAt }) => !confirmedAt);
const entryOf = ({ id, attempt, end }) => ({
  id,
  attempt,
  status: end ? 'ended' : running.has(id) ? 'running' : 'lost',
});
const on = {
  welcome(frame, socket) {
    if (frame.epoch <= about.lastEpoch) return socket.terminate();
    [link, about] = [socket, { ...about, lastEpoch: frame.epoch }];
    keep({ meta: about });
    const entries = unconfirmed().map(entryOf);
    do send({ t: 'inventory', entries: entries.splice(0, 1000), last: entries.length === 0 });
    while (entries.length > 0);
    const beat = () => {
      if (Date.now() - heardAt > frame.livenessMs) return socket.terminate();
      send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
    };
    const beating = setInterval(beat, frame.heartbeatMs * (1 - Math.random() / 2));
    socket.on('close', () => clearInterval(beating));
    beat();
  },
  inventory_ok: () => unconfirmed().forEach(tell),
  dispatch: ({ dispatches }) => dispatches.forEach(take),
  cancel: ({ cancels }) => cancels.forEach(cancel),
  confirm: ({ ids }) => ids.forEach(confirm),
  // It knows one address: another replica is behind it when it dials again.
  going_away: ({ slotMs }) => setTimeout(() => send({ t: 'goodbye', reason: 'the replica leaves' }), slotMs),
};

/** One link, from its dialling to its end: its close code, or the status of the refusal. */
const connect = (token) =>
  new Promise((resolve) => {
    const options = {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: 1 << 20,
    };
    const socket = new WebSocket(`${hub.replace('http', 'ws')}/api/v1/control`, 'fairlead.v1', options);
    const beganAt = Date.now();
    const capabilities = Object.keys(ops).filter((op) => op.startsWith('x.'));
    const self = { bootId, software: 'example/1.0', capabilities, labels: {}, window: 64, health: 'online' };
    socket.on('open', () =>
      socket.send(JSON.stringify({ t: 'hello', protocol: { min: 1, max: 1 }, ...about, ...self })),
    );
    socket.on('ping', () => (heardAt = Date.now()));
    socket.on('message', (data) => {
      heardAt = Date.now();
      const frame = JSON.parse(data);
      on[frame.t]?.(frame, socket);
    });
    socket.on('error', () => undefined); // A close follows.
    socket.on('unexpected-response', (_request, { statusCode: code, headers }) =>
      resolve({ code, reason: '', lastedMs: 0, retryAfterMs: 1000 * (Number(headers['retry-after']) || 0) }),
    );
    socket.on('close', (code, reason) =>
      resolve({ code, reason: String(reason), lastedMs: Date.now() - beganAt, retryAfterMs: 0 }),
    );
  });

process.once('SIGTERM', () => {
  isStopping = true;
  if (link?.readyState !== WebSocket.OPEN) process.exit(0);
  send({ t: 'goodbye', reason: 'the broker stops' });
});

for (let failures = 0; !isStopping;) {
  const end = await membership()
    .then(accessToken)
    .then(connect)
    .catch(({ status = 1006, message }) => ({ code: status, reason: message, lastedMs: 0, retryAfterMs: 0 }));
  if (isStopping) break;
  console.error(`the link ended: ${end.code} ${end.reason}`);
  if (end.code === 4409 && end.reason.startsWith('another instance')) process.exit(1);
  failures = end.lastedMs > 30_000 ? 0 : failures + 1;
  const isSlow = [401, 403, 404, 426, 4403, 4426].includes(end.code) && failures > 1;
  await wait(end.retryAfterMs + Math.random() * (isSlow ? 120_000 : Math.min(60_000, 1000 * 2 ** failures)));
}
process.exit(0);
