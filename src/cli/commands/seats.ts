/** Seats for brokers that a command brings along. */
import type { CreatedJoinTokenDto } from '../../hub/auth/dto/join-token.dto.js';
import type { Client } from '../api/client.js';
import { BRIEF } from '../api/retry.js';
import type { Invocation } from '../invocation.js';

type Seats = { seats: number; expiresInS: number; labels: Record<string, string> };

/** Works with a join token that is there for as long as that takes, and revoked then, whatever became of it. */
export async function withSeats<T>(
  run: Invocation<object>,
  hub: Client,
  body: Seats,
  work: (token: string) => Promise<T>,
): Promise<T> {
  const made = await hub.ask<CreatedJoinTokenDto>({
    method: 'POST',
    path: '/join-tokens',
    body,
    repeat: 'harmful',
  });
  run.hide(made.token);
  try {
    return await work(made.token);
  } finally {
    await hub.ask({ method: 'DELETE', path: `/join-tokens/${made.id}`, patience: BRIEF }).catch(() => {
      // What was found is worth more than that, and the replica that is asked may well have been ended by the work.
      run.printer.warn(
        `the join token ${made.id} could not be revoked; it ends by itself at ${made.expiresAt}`,
      );
    });
  }
}
