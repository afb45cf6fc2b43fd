/** The Ed25519 key by which a broker is known. Its private half never leaves the machine. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { HomeUnreadable } from './broker.errors.js';
import { claimDurably, readJsonFile } from './durable-file.js';

/** The key in the file, made first if there is none; safe to repeat and to race. */
export async function loadOrMakeKey(path: string): Promise<JWK> {
  const existing = await readKey(path);
  if (existing !== undefined) return existing;
  await claimDurably(path, JSON.stringify(await makeKey()));
  return loadKey(path);
}

/** A new key, in memory alone. */
export async function makeKey(): Promise<JWK> {
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  return exportJWK(pair.privateKey);
}

/** @throws HomeUnreadable where there is no usable key */
export async function loadKey(path: string, read = readKey): Promise<JWK> {
  const key = await read(path);
  if (key === undefined) throw new HomeUnreadable(`${path} holds no Ed25519 private key`);
  return key;
}

/** The public half as the wire has it: base64url of its 32 bytes. */
export function publicKeyOf(key: JWK): string {
  if (key.x === undefined) throw new HomeUnreadable('the key has no public half');
  return key.x;
}

/** By which the hub names a key (RFC 7638). */
export async function thumbprint(publicKey: string): Promise<string> {
  return calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: publicKey });
}

/** @returns undefined where there is no such file. @throws HomeUnreadable */
export async function readKey(path: string): Promise<JWK | undefined> {
  try {
    return await readJsonFile<JWK>(path);
  } catch (error) {
    throw new HomeUnreadable(`${path} cannot be read`, { cause: error });
  }
}
