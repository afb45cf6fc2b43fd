import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as rest } from 'node:timers/promises';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { WebSocket } from 'ws';
import { takeSeat } from '../../src/broker/join.js';
import { proofFields } from '../../src/broker/proof.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { CONTROL_PATH, PROTOCOL_RANGE, SUBPROTOCOL } from '../../src/protocol/version.js';
import type { Launched as Replica } from '../support/replicas.js';
import type { DrillCluster } from './cluster.js';

const ADMISSIONS = 1_000;
/** Brokers that come in again and again; each has one channel at a time. */
const GUESTS = 40;
/** After this part of all admissions the drain begins. */
const DRAIN_AFTER = 0.5;
const STAYS_MS = 20;
const ENDS_WITHIN_MS = 90_000;
/** A balancer may lead back to the one that leaves, for a moment. */
const MOVE_TRIES = 8;

type Guest = { key: JWK; token: string; brokerId: string; bootId: string; journalId: string };
type Visit = 'left' | 'refused' | 'told' | 'untold';

type Race = {
  asked: number;
  admitted: number;
  refused: number;
  /** Of those that were here when the drain began: they were told to go elsewhere. */
  told: number;
  /** They were not. */
  untold: number;
  drained: Promise<unknown>;
  /** Where guests went that were told to go; they stay until they are let go, as brokers do. */
  held: () => void;
};

/**
 * So many admissions at one replica's own address, in the midst of which it is told to drain. Whoever is in by then stays until
 * it is told to go, and goes to another replica as brokers do.
 */
export async function race(cluster: DrillCluster, leaving: Replica): Promise<Race> {
  const guests = await join(cluster);
  const counts = { left: 0, refused: 0, told: 0, untold: 0 };
  const moved: WebSocket[] = [];
  let asked = 0;
  let drained: Promise<unknown> | undefined;
  const visit = async (guest: Guest): Promise<Visit> => {
    const came = await enter(leaving.url, guest);
    if (came === undefined) return 'refused';
    if (drained === undefined) {
      await rest(STAYS_MS);
      if (drained === undefined) {
        came.socket.terminate();
        return 'left';
      }
    }
    const isTold = await came.toldToGo;
    for (let tries = 0; tries < MOVE_TRIES; tries += 1) {
      const elsewhere = await enter(cluster.url, guest);
      if (elsewhere !== undefined) {
        moved.push(elsewhere.socket);
        break;
      }
      await rest(STAYS_MS * 2 ** tries);
    }
    if (came.socket.readyState === WebSocket.OPEN)
      came.socket.send(JSON.stringify({ t: 'goodbye', reason: 'moved to another replica' }));
    else came.socket.terminate();
    return isTold ? 'told' : 'untold';
  };
  await Promise.all(
    guests.map(async (guest) => {
      while (asked < ADMISSIONS) {
        asked += 1;
        if (asked >= ADMISSIONS * DRAIN_AFTER) drained ??= cluster.drain(leaving);
        const outcome = await visit(guest);
        counts[outcome] += 1;
        // Its channel elsewhere would be displaced by another, and the owner with it.
        if (outcome === 'told' || outcome === 'untold') return;
      }
    }),
  );
  const held = () => {
    for (const socket of moved) socket.terminate();
  };
  const { left, refused, told, untold } = counts;
  drained ??= cluster.drain(leaving);
  return { asked, admitted: left + told + untold, refused, told, untold, drained, held };
}

async function join(cluster: DrillCluster): Promise<Guest[]> {
  const token = await cluster.caller.joinToken(GUESTS);
  return Promise.all(
    Array.from({ length: GUESTS }, async (_, place): Promise<Guest> => {
      const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
      const key = await exportJWK(privateKey);
      const { brokerId, granted } = await takeSeat([cluster.url], {
        token,
        name: `guest-${place + 1}`,
        publicKey: key.x ?? '',
        fingerprint: 'a'.repeat(64),
        software: 'guest/1',
        labels: {},
      });
      return { brokerId, key, token: granted.token, bootId: randomUUID(), journalId: randomUUID() };
    }),
  );
}

/** @returns undefined where the door is closed, before the welcome or before the upgrade */
async function enter(url: string, { key, token, bootId, journalId }: Guest) {
  const upgrade = { method: 'GET', path: CONTROL_PATH } as const;
  const socket = new WebSocket(`${url.replace('http', 'ws')}${CONTROL_PATH}`, SUBPROTOCOL, {
    headers: await proofFields(key, token, url, upgrade, Date.now()),
    perMessageDeflate: false,
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').catch(() => undefined);
  const refused = new Promise<void>((resolve) => {
    socket.once('unexpected-response', () => {
      socket.terminate();
      resolve();
    });
  });
  let tell: (isTold: boolean) => void = () => undefined;
  const toldToGo = new Promise<boolean>((resolve) => (tell = resolve));
  void closed.then(() => tell(false));
  const patience = setTimeout(() => socket.terminate(), ENDS_WITHIN_MS);
  void closed.then(() => clearTimeout(patience));
  const welcomed = new Promise<true>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const { t } = JSON.parse(data.toString()) as { t: string };
      if (t === 'going_away') tell(true);
      if (t !== 'welcome') return;
      socket.send(JSON.stringify({ t: 'inventory', entries: [], last: true }));
      resolve(true);
    });
  });
  socket.once('open', () => {
    const who = { bootId, journalId, lastEpoch: 0, software: 'guest/1', capabilities: [], labels: {} };
    const hello = { t: 'hello', protocol: PROTOCOL_RANGE, ...who };
    socket.send(JSON.stringify({ ...hello, window: LIMITS.windowDefault, health: 'online' }));
  });
  const isIn = await Promise.race([welcomed, closed, refused]);
  return isIn === true ? { socket, toldToGo } : undefined;
}
