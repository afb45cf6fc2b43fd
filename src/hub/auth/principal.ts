/** What a person may do in the hub as a whole. */
export const ROLES = ['admin', 'member'] as const;

export type Role = (typeof ROLES)[number];

/** What a person may do in one project, the least first: each may do what those before it may. */
export const PROJECT_ROLES = ['viewer', 'operator', 'admin'] as const;

export type ProjectRole = (typeof PROJECT_ROLES)[number];

/** Who is calling, read from the credential alone and never from what the request says of itself. */
export type Principal = {
  readonly kind: 'person';
  readonly userId: string;
  readonly name: string;
  /** A credential that is limited to some projects gives no role in the hub as a whole: then `member`. */
  readonly role: Role;
  /** What the person is in which projects; of an administrator of the hub null, who may do everything in all. */
  readonly projects: Readonly<Record<string, ProjectRole>> | null;
  /** Whether the credential lets its holder change anything. */
  readonly access: TokenAccess;
  /** Whether the credential is good for less than its holder is. */
  readonly isLimited: boolean;
  /** The credential that was shown, so that its revocation can be told from that of another. */
  readonly credentialId: string;
};

/** What a personal token lets its holder do: look, or change things as well. */
export const TOKEN_ACCESSES = ['read', 'write'] as const;

export type TokenAccess = (typeof TOKEN_ACCESSES)[number];

/** A holder of a credential as its rows have it. */
type Holder = {
  userId: string;
  name: string;
  role: Role;
  /** What it is in which projects, by the rows of its memberships. */
  memberships: Readonly<Record<string, ProjectRole>>;
  access: TokenAccess;
  /** The projects to which the credential is limited; null for no limit. */
  projectIds: readonly string[] | null;
  credentialId: string;
};

/** Who calls, and what the credential leaves of what its holder may do. */
export function principalOf(holder: Holder): Principal {
  const { userId, name, access, projectIds, credentialId } = holder;
  const role = projectIds === null ? holder.role : 'member';
  const isLimited = projectIds !== null;
  const projects = projectsOf(holder);
  return Object.freeze({ kind: 'person', userId, name, role, projects, access, isLimited, credentialId });
}

function projectsOf({ role, memberships, projectIds }: Holder): Principal['projects'] {
  if (projectIds === null) return role === 'admin' ? null : memberships;
  // An administrator of the hub is one of each project as well.
  const entries = projectIds.map((id) => [id, role === 'admin' ? 'admin' : memberships[id]] as const);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, ProjectRole] => entry[1] !== undefined),
  );
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard of every route that asks for a person; absent on public ones. */
    principal?: Principal;
  }
}
