/**
 * From a password to a token. What is stored is a personal token that can be listed and revoked by its name: the session by
 * which it is made ends at once.
 */
import { hostname } from 'node:os';
import type { CreatedPersonalTokenDto } from '../../hub/auth/dto/personal-token.dto.js';
import type { SignedInDto } from '../../hub/auth/dto/session.dto.js';
import { nameOfMachine } from '../input/machine-name.js';
import type { Client } from './client.js';

/** How somebody comes in. */
export type Entry = { user: string; password: string } | { invite: string; password: string };

/** @param clientFor makes a client of the hub that shows this token; an empty one for none */
export async function tokenBy(
  entry: Entry,
  clientFor: (token: string) => Client,
): Promise<{ id: string; token: string }> {
  const { password } = entry;
  const asked =
    'invite' in entry
      ? { path: '/invites/redeem', body: { token: entry.invite, password } }
      : { path: '/sessions', body: { user: entry.user, password } };
  const signed = await clientFor('').ask<SignedInDto>({ method: 'POST', repeat: 'harmful', ...asked });
  const hub = clientFor(signed.accessToken);
  const body = { name: `fairlead login on ${nameOfMachine(hostname()) ?? 'a machine'}` };
  const made = await hub.ask<CreatedPersonalTokenDto>({
    method: 'POST',
    path: '/tokens',
    body,
    repeat: 'harmful',
  });
  await hub.ask({ method: 'DELETE', path: `/sessions/${signed.sessionId}` });
  return { id: made.id, token: made.token };
}
