import {
  applyDecorators,
  createParamDecorator,
  SetMetadata,
  type CustomDecorator,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ApiBearerAuth } from '../http/described.js';
import type { Principal, Role } from './principal.js';

/** Who may call a route, or whose frames a handler takes. What declares nothing is denied to everybody. */
export type Access =
  | { readonly kind: 'public' }
  | { readonly kind: 'person'; readonly roles: readonly Role[] }
  | { readonly kind: 'broker' };

export const ACCESS = 'fairlead:access';

/** Anybody may call, without a credential. What such a route takes as proof it must check itself. */
export function Public(): CustomDecorator {
  return SetMetadata<string, Access>(ACCESS, { kind: 'public' });
}

/** People with one of the hub roles may call; without roles, every person. */
export function Person(...roles: Role[]): ClassDecorator & MethodDecorator {
  return applyDecorators(SetMetadata<string, Access>(ACCESS, { kind: 'person', roles }), ApiBearerAuth());
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
