import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** What may do something that is kept in the audit. */
export const ACTOR_KINDS = ['person', 'broker'] as const;

/** From where a request came: the peer of its connection, which nothing in it can change. */
export type Origin = { requestId: string; address: string };

/** Who does something, and from where. */
export type Actor = {
  kind: (typeof ACTOR_KINDS)[number];
  id: string;
  name: string | null;
  /** What was shown; null where that is the actor's own key. */
  credentialId: string | null;
  /** null for what came by no request. */
  origin: Origin | null;
};

/** From where the request came. */
export const From = createParamDecorator((_data: undefined, context: ExecutionContext): Origin =>
  originOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** The caller of the request, as the audit names it. Only for routes that ask for a person. */
export const Acting = createParamDecorator((_data: undefined, context: ExecutionContext): Actor => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { principal } = request;
  if (principal === undefined) throw new Error('a public route asks who acts');
  const { userId: id, name, credentialId } = principal;
  return { kind: 'person', id, name, credentialId, origin: originOf(request) };
});

function originOf({ id, ip }: FastifyRequest): Origin {
  return { requestId: id, address: ip };
}
