import { decodeJwt, decodeProtectedHeader, importJWK, SignJWT, type JWK, type JWTPayload } from 'jose';
import pg from 'pg';
import { Sealer } from '../../src/hub/auth/sealer.js';
import { SEAL_KEY } from './hub-process.js';

/** Another token under the signature of the hub: as this one, but for these claims. */
export async function signedAnew(databaseUrl: string, token: string, claims: JWTPayload): Promise<string> {
  const { kid, typ } = decodeProtectedHeader(token);
  const sql = new pg.Client(databaseUrl);
  await sql.connect();
  const { rows } = await sql.query<{ sealed_private: Buffer }>(
    'select sealed_private from signing_key where id = $1',
    [kid],
  );
  await sql.end();
  const sealed = rows[0]?.sealed_private;
  if (kid === undefined || typ === undefined || sealed === undefined) throw new Error('no key of this hub');
  const opened = new Sealer([Buffer.from(SEAL_KEY, 'hex')]).open('signing_key', kid, sealed);
  const key = await importJWK(JSON.parse(opened.toString()) as JWK, 'EdDSA');
  return new SignJWT({ ...decodeJwt(token), ...claims })
    .setProtectedHeader({ alg: 'EdDSA', kid, typ })
    .sign(key);
}
