import {
  applyDecorators,
  createParamDecorator,
  Injectable,
  SetMetadata,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ACCESS, type Access } from '../auth/access.js';
import { bearerOf } from '../auth/access.guard.js';
import { RateLimiter } from '../auth/limits/rate-limiter.js';
import { ApiBearerAuth } from '../http/described.js';
import { isReading } from '../http/reading.js';
import { AgentCredentials } from './agent-credentials.js';
import type { AgentRow } from './agent.repository.js';

/** Stands before what agents may ask: whoever shows anything else than the credential of one is refused. */
@Injectable()
export class AgentGuard implements CanActivate {
  constructor(
    private readonly credentials: AgentCredentials,
    private readonly limiter: RateLimiter,
  ) {}

  /** @throws CredentialMissing, CredentialInvalid, RateLimited, RateUndecided, DatabaseUnavailable */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const name = isReading(request) ? 'agent' : 'write';
    request.agent = await this.credentials.authenticate(bearerOf(request), (agentId) =>
      this.limiter.take(name, agentId),
    );
    return true;
  }
}

/** An agent may call, and nobody else. Such a route takes whom it is about from `@CallingAgent` alone. */
export function OfAgents(): ClassDecorator & MethodDecorator {
  return applyDecorators(
    SetMetadata<string, Access>(ACCESS, { kind: 'agent' }),
    UseGuards(AgentGuard),
    ApiBearerAuth('agent'),
  );
}

/** The agent that calls. Only for routes that are `@OfAgents`. */
export const CallingAgent = createParamDecorator((_data: undefined, context: ExecutionContext): AgentRow => {
  const { agent } = context.switchToHttp().getRequest<FastifyRequest>();
  if (agent === undefined) throw new Error('a route that is not of agents asks which one calls');
  return agent;
});

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard of every route that asks for an agent. */
    agent?: AgentRow;
  }
}
