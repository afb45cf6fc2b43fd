import type { Socket } from 'node:net';
import type { ClientBase } from 'pg';
import { within } from '../lifecycle/within.js';

/** Milliseconds that the server has to see a connection off. */
const WITHIN_MS = 1_000;

type Ending = ClientBase & { end(): Promise<void> };
type Wired = { connection: { stream: Socket } };

/**
 * Ends a connection in peace; by itself where the other end says nothing, as after a failover or behind a firewall that
 * forgot it. Such a socket would stay open for as long as the system allows, and its process with it. Never rejects.
 */
export async function endOf(client: ClientBase): Promise<void> {
  await within(
    WITHIN_MS,
    (client as Ending).end().catch(() => undefined),
  );
  (client as unknown as Wired).connection.stream.destroy();
}
