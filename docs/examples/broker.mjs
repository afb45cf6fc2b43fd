/**
 * A broker in plain JavaScript, written from ../control-channel.md alone. It needs Node and the package `ws`.
 *
 *     HUB_URL=http://127.0.0.1:8080 JOIN_TOKEN=... node broker.mjs <folder>     without the token from the second time on
 *
 * Beside `broker.ping` it has `x.note.append {text}` and `x.note.later {text, afterMs}`, which write into `notes.txt`.
 */
import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';

const [hub, folder, bootId] = [process.env.HUB_URL, resolve(process.argv[2] ?? '.'), randomUUID()];
const [software, path] = ['example/1.0', (name) => `${folder}/${name}`];
const sha256 = (text) => createHash('sha256').update(text).digest();
const ops = {
  'broker.ping': () => ({ time: new Date().toISOString() }),
  'x.note.append': ({ text }) => fs.appendFileSync(path('notes.txt'), `${text}\n`),
  'x.note.later': ({ text, afterMs }, signal) =>
    wait(afterMs, undefined, { signal }).then(() => ops['x.note.append']({ text })),
};

// One process a journal: a port of this machine is the lock, which the system frees when the process dies.
const lock = createServer().listen(20_000 + (sha256(folder).readUInt16BE() % 20_000), '127.0.0.1');
await new Promise((done, fail) => lock.once('listening', done).once('error', fail));

fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
const directory = fs.openSync(folder);
const read = (name) => (fs.existsSync(path(name)) ? fs.readFileSync(path(name), 'utf8') : undefined);
function store(name, text) {
  fs.writeFileSync(path(`${name}.new`), text, { mode: 0o600, flush: true });
  fs.renameSync(path(`${name}.new`), path(name));
  fs.fsyncSync(directory);
  return text;
}

// The journal is a line of JSON for each change of a record; the last one counts. What stands behind the last newline
// does not: a crash cut it short, and nobody was told of it.
const [records, running, turns] = [new Map(), new Map(), new Map()];
let [about, journal, added] = [{ journalId: randomUUID(), lastEpoch: 0 }, undefined, 0];
for (const line of (read('journal.jsonl') ?? '').split('\n').slice(0, -1)) {
  const { meta, ...record } = JSON.parse(line);
  if (meta) about = meta;
  else records.set(record.id, record);
}
/** Leaves a line for each record, and none for what was confirmed a day ago. */
function compact() {
  const dayAgo = Date.now() - 24 * 3600_000;
  for (const { id, confirmedAt } of records.values()) if (confirmedAt < dayAgo) records.delete(id);
  const entries = [{ meta: about }, ...records.values()];
  store('journal.jsonl', entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  if (journal !== undefined) fs.closeSync(journal);
  [journal, added] = [fs.openSync(path('journal.jsonl'), 'a'), 0];
}
compact();
function keep(entry) {
  if (entry.confirmedAt) entry.confirmedAt = Date.now(); // What is spoken of again is kept for another day.
  fs.writeSync(journal, `${JSON.stringify(entry)}\n`);
  fs.fsyncSync(journal);
  if (entry.id) records.set(entry.id, entry);
  if ((added += 1) > 100 + records.size) compact();
}

async function post(route, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(hub + route, { method: 'POST', headers, body: JSON.stringify(body) });
  if (answer.ok) return answer.json();
  const { code: reason, hubTime } = await answer.json().catch(() => ({}));
  throw { code: answer.status, reason, hubTime, retryAfterS: answer.headers.get('retry-after') };
}

// The key is on disk before the join, so that a join that was cut short can be repeated.
const makeKey = () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
const key = createPrivateKey(read('key.pem') ?? store('key.pem', makeKey()));
const { x: publicKey } = key.export({ format: 'jwk' });
async function join() {
  const { JOIN_TOKEN: token, BROKER_NAME: name = 'example' } = process.env;
  const fingerprint = sha256(hostname()).toString('hex');
  const joined = await post('/api/v1/brokers/join', { token, publicKey, name, fingerprint, software });
  return store('broker.json', JSON.stringify(joined));
}
let skewMs = 0; // What the hub's clock is ahead, once it has said so.
const nowS = () => Math.floor((Date.now() + skewMs) / 1000);
function signed(header, claims) {
  const parts = [
    { alg: 'EdDSA', ...header },
    { ...claims, iat: nowS(), jti: randomUUID() },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}
/** For one upgrade, since nobody else is to use what this one shows. */
function proofOf(token) {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey };
  const claims = { htm: 'GET', htu: `${hub}/api/v1/control`, ath: sha256(token).toString('base64url') };
  return signed({ typ: 'dpop+jwt', jwk }, claims);
}
async function accessToken(isSecond = false) {
  const { brokerId, hubId } = JSON.parse(read('broker.json') ?? (await join()));
  const assertion = {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: signed({}, { iss: brokerId, sub: brokerId, aud: hubId, exp: nowS() + 55 }),
  };
  return post('/api/v1/brokers/token', assertion).catch((end) => {
    if (end.reason !== 'clock_skew' || isSecond) throw end;
    skewMs = Date.parse(end.hubTime) - Date.now();
    return accessToken(true);
  });
}

let [link, heardAt, livenessMs, isStopping] = [undefined, 0, 45_000, false]; // The link is the newest one that was welcomed.
const isSilent = () => Date.now() - heardAt > livenessMs;
const write = (socket, frame) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame));
const send = (frame) => write(link, frame);
const tell = ({ id, attempt, end }) => end && send({ t: 'result', results: [{ id, attempt, ...end }] });
const cancelled = { outcome: 'cancelled' };
const failed = (code, message) => ({ outcome: 'failed', error: { code, message, retryable: false } });
const lost = failed('outcome_unknown', 'It was begun by an earlier life of the broker.');

/** What is new on the newest link is journaled, acked and begun; what is known is acked, and answered from the journal. */
function take({ remainingMs, ...item }, socket) {
  const known = records.get(item.id);
  if (!known && socket !== link) return;
  const mayPass = known?.end?.error?.retryable && item.attempt > known.attempt;
  const isNew = !running.has(item.id) && (!known?.end || mayPass);
  keep(isNew ? { ...item, end: null } : { ...known, attempt: item.attempt });
  send({ t: 'ack', acks: [{ id: item.id, attempt: item.attempt }] });
  if (isNew) begin(item, Date.now() + remainingMs);
  else tell(records.get(item.id));
}

/** Commands of one key go one after another. */
function begin({ id, op, args, key = null }, deadlineAt) {
  const cancelling = new AbortController();
  running.set(id, cancelling);
  const turn = Promise.resolve(turns.get(key)).then(async () => {
    const end = await endOf(op, args, cancelling.signal, deadlineAt);
    running.delete(id);
    keep({ ...records.get(id), args: {}, end });
    tell(records.get(id));
    if (turns.get(key) === turn) turns.delete(key);
  });
  if (key !== null) turns.set(key, turn);
}

async function endOf(op, args, signal, deadlineAt) {
  while (!signal.aborted && isSilent()) await wait(500); // A machine that slept hears of its hub first.
  if (signal.aborted) return cancelled;
  if (Date.now() >= deadlineAt) return failed('deadline_passed', 'The deadline passed before it was begun.');
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

const statusOf = ({ id, end }) => (end ? 'ended' : running.has(id) ? 'running' : 'lost');
const entryOf = (record) => ({ id: record.id, attempt: record.attempt, status: statusOf(record) });
const unconfirmed = () => [...records.values()].filter(({ confirmedAt }) => !confirmedAt);
const on = {
  welcome(frame, socket) {
    if (frame.epoch <= about.lastEpoch) return socket.terminate();
    write(link, { t: 'goodbye', reason: 'moved to another replica' });
    [link, livenessMs, about] = [socket, frame.livenessMs, { ...about, lastEpoch: frame.epoch }];
    keep({ meta: about });
    const entries = unconfirmed().map(entryOf);
    do send({ t: 'inventory', entries: entries.splice(0, 1000), last: entries.length === 0 });
    while (entries.length > 0);
    const beat = () => write(socket, { t: 'heartbeat', health: 'online', load: null, running: 0 });
    const beatOrCut = () => (isSilent() ? socket.terminate() : beat());
    const beating = setInterval(beatOrCut, frame.heartbeatMs * (1 - Math.random() / 2));
    const pinging = setInterval(() => socket.ping(), 15_000);
    socket.on('close', () => [pinging, beating].forEach(clearInterval));
    beat();
  },
  inventory_ok: () => unconfirmed().forEach(tell),
  heartbeat_ack: () => undefined,
  dispatch: ({ dispatches }, socket) => dispatches.forEach((item) => take(item, socket)),
  cancel: ({ cancels }) => cancels.forEach(cancel),
  confirm: ({ ids }) => ids.forEach(confirm),
  going_away: ({ slotMs }, _socket, done) => setTimeout(done, slotMs, { isMove: true }),
};

function frameIn(data, isBinary) {
  try {
    return (!isBinary && JSON.parse(data)) || {};
  } catch {
    return {};
  }
}

/** One link, until it ends or its replica leaves: then another is to take its place while it serves. */
const connect = (token) =>
  new Promise((done) => {
    const headers = { authorization: `DPoP ${token}`, dpop: proofOf(token) };
    const options = { headers, perMessageDeflate: false, maxPayload: 1 << 20 };
    const socket = new WebSocket(`${hub.replace('http', 'ws')}/api/v1/control`, 'fairlead.v1', options);
    const beganAt = Date.now();
    const capabilities = Object.keys(ops).filter((op) => op.startsWith('x.'));
    const self = { bootId, software, capabilities, labels: {}, window: 64, health: 'online' };
    socket.on('open', () => write(socket, { t: 'hello', protocol: { min: 1, max: 1 }, ...about, ...self }));
    for (const sign of ['ping', 'pong']) socket.on(sign, () => (heardAt = Date.now()));
    socket.on('message', (data, isBinary) => {
      if (socket === link && isSilent()) return socket.terminate();
      heardAt = Date.now();
      const frame = frameIn(data, isBinary);
      if (Object.hasOwn(on, frame.t)) on[frame.t](frame, socket, done);
      else socket.close(4400, 'no frame that this broker knows');
    });
    socket.on('error', () => undefined); // A close follows.
    socket.on('unexpected-response', (_request, { statusCode: code, headers: told }) =>
      done({ code, retryAfterS: told['retry-after'] }),
    );
    socket.on('close', (code, reason) =>
      done({ code, reason: String(reason), lastedMs: Date.now() - beganAt }),
    );
  });

process.once('SIGTERM', () => {
  isStopping = true;
  if (link?.readyState !== WebSocket.OPEN) process.exit(0);
  send({ t: 'goodbye', reason: 'the broker stops' });
});

for (let [failures, renewals] = [0, 0]; ;) {
  const end = await accessToken()
    .then(({ access_token: token }) => connect(token))
    .catch((thrown) => (thrown.code > 0 ? thrown : { code: 1006, reason: thrown.message }));
  if (isStopping) break;
  if (end.isMove) continue;
  const { code, reason = '', lastedMs = 0, retryAfterS } = end;
  console.error(`the link ended: ${code} ${reason}`);
  if (code === 4409 && reason.startsWith('another instance')) process.exit(1);
  if (lastedMs > 30_000) [failures, renewals] = [0, 0];
  const isRenewal = code === 401 || code === 4401;
  [failures, renewals] = [failures + 1, renewals + isRenewal];
  const isSlow = [403, 404, 426, 4403, 4426].includes(code) || (isRenewal && renewals > 1);
  const boundMs = Math.min(60_000, 1000 * 2 ** (failures - 1));
  const chanceMs = Math.random() * (isSlow ? 60_000 : boundMs);
  await wait(1000 * (Number(retryAfterS) || 0) + (isSlow ? 60_000 : 0) + chanceMs);
}
process.exit(0);
