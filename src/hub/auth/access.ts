import {
  applyDecorators,
  createParamDecorator,
  SetMetadata,
  type CustomDecorator,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ApiBearerAuth } from '../http/described.js';
import type { Principal, ProjectRole, Role } from './principal.js';
import { scopeOf, type Scope } from './scope.js';

/** Who may call a route, or whose frames a handler takes. What declares nothing is denied to everybody. */
export type Access =
  | { readonly kind: 'public' }
  | {
      readonly kind: 'person';
      readonly roles: readonly Role[];
      /** The least that a caller must be in the project of what it asks for; undefined where it is of no project. */
      readonly project?: ProjectRole;
    }
  | { readonly kind: 'broker' }
  /** Judged by a guard of its own, which knows the agents; a hub does not start with such a route without one. */
  | { readonly kind: 'agent' };

export const ACCESS = 'fairlead:access';

/** Anybody may call, without a credential. What such a route takes as proof it must check itself. */
export function Public(): CustomDecorator {
  return SetMetadata<string, Access>(ACCESS, { kind: 'public' });
}

/** People with one of the hub roles may call; without roles, every person. */
export function Person(...roles: Role[]): ClassDecorator & MethodDecorator {
  return applyDecorators(SetMetadata<string, Access>(ACCESS, { kind: 'person', roles }), ApiBearerAuth());
}

/**
 * People may call, and have what is of their own projects: what is of others is not there for them. Where they are less
 * than this role in the project of what they ask for, it is denied. Such a route takes its scope with `@Scoped`.
 */
export function InProject(project: ProjectRole): ClassDecorator & MethodDecorator {
  return applyDecorators(
    SetMetadata<string, Access>(ACCESS, { kind: 'person', roles: [], project }),
    ApiBearerAuth(),
  );
}

/** A broker, whose upgrade to the control channel was authenticated. Only for handlers of frames. */
export function FromBroker(): CustomDecorator {
  return SetMetadata<string, Access>(ACCESS, { kind: 'broker' });
}

/** The principal of the request. Only for routes that ask for a person. */
export const Caller = createParamDecorator((_data: undefined, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<FastifyRequest>();
  if (principal === undefined) throw new Error('a public route asks who its caller is');
  return principal;
});

/** How `@Scoped` reads the scope of a request, by which a route that takes it is known. */
export const readScope = (_data: undefined, context: ExecutionContext): Scope => {
  const { scope } = context.switchToHttp().getRequest<FastifyRequest>();
  if (scope === undefined) throw new Error('a route that is of no project asks for its scope');
  return scope;
};

/** In which projects the caller may do what the route is for. Only for routes that are `@InProject`. */
export const Scoped = createParamDecorator(readScope);

/** The scope of a request as its route declares it. */
export function scopeFor({ project }: { project?: ProjectRole }, principal: Principal): Scope | undefined {
  return project === undefined ? undefined : scopeOf(principal, project);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard where the route is for what belongs to projects. */
    scope?: Scope;
  }
}
