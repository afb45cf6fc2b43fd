import { Forbidden } from './auth.errors.js';
import { PROJECT_ROLES, type Principal, type ProjectRole } from './principal.js';

/** In which projects a request may see something, and in which it may do what it asks for. null: in all, and in none. */
export type Scope = { readonly sees: readonly string[] | null; readonly may: readonly string[] | null };

/** The scope of the hub itself, and of its administrators. */
export const EVERYWHERE: Scope = Object.freeze({ sees: null, may: null });

/** @param role the least that a person must be in a project for what is asked */
export function scopeOf({ projects }: Pick<Principal, 'projects'>, role: ProjectRole): Scope {
  if (projects === null) return EVERYWHERE;
  const entries = Object.entries(projects);
  const least = PROJECT_ROLES.indexOf(role);
  return {
    sees: entries.map(([id]) => id),
    may: entries.filter(([, held]) => PROJECT_ROLES.indexOf(held) >= least).map(([id]) => id),
  };
}

/**
 * @param projectId null for what belongs to no project, which is the business of the hub's administrators
 * @throws Forbidden where the request may not do there what it asks for
 */
export function requireScope({ may }: Scope, projectId: string | null): void {
  if (may === null) return;
  if (projectId === null || !may.includes(projectId)) throw new Forbidden();
}

/**
 * SQL that holds for what a request may see. What belongs to no project is seen by those alone who see everything.
 *
 * @param column a project's id
 * @param value the parameter with `sees` of a scope
 */
export function isSeen(column: string, value: string): string {
  return `(${value}::uuid[] is null or ${column} = any (${value}))`;
}
