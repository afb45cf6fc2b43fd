/** What a person may do in the hub as a whole. */
export const ROLES = ['admin', 'member'] as const;

export type Role = (typeof ROLES)[number];

/** Who is calling, read from the credential alone and never from what the request says of itself. */
export type Principal = {
  readonly kind: 'person';
  readonly userId: string;
  readonly name: string;
  readonly role: Role;
  /** The credential that was shown, so that its revocation can be told from that of another. */
  readonly credentialId: string;
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard of every route that asks for a person; absent on public ones. */
    principal?: Principal;
  }
}
