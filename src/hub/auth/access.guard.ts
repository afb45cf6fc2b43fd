import { Injectable, Logger, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { isReading } from '../http/reading.js';
import { ACCESS, scopeFor, type Access } from './access.js';
import { CredentialMissing, Forbidden } from './auth.errors.js';
import { WebSessions } from './cookies/web-sessions.js';
import type { Principal } from './principal.js';
import { Credentials } from './credentials.js';

const BEARER = /^Bearer +([^\s]+) *$/i;

/**
 * Stands before every route and every handler of frames. What does not declare who may call it is denied, so that
 * forgetting costs an answer and never opens a door.
 */
@Injectable()
export class AccessGuard implements CanActivate {
  private readonly log = new Logger('auth');

  constructor(
    private readonly reflector: Reflector,
    private readonly credentials: Credentials,
    private readonly webSessions: WebSessions,
  ) {}

  /** @throws CredentialMissing, CredentialInvalid, Forbidden, CsrfRefused, DatabaseUnavailable */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [
      context.getHandler(),
      context.getClass(),
    ]);
    const isFrame = context.getType<string>() === 'ws';
    if (access === undefined || (access.kind === 'broker') !== isFrame) {
      const route = `${context.getClass().name}.${context.getHandler().name}`;
      this.log.error({ route }, 'a route does not declare who may call it, and is denied');
      throw new Forbidden();
    }
    // The adapter has authenticated the upgrade; a frame carries no credential of its own. Agents have a guard of their own.
    if (access.kind !== 'person') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const principal = await this.callerOf(request);
    if (access.roles.length > 0 && !access.roles.includes(principal.role)) throw new Forbidden();
    if (principal.access === 'read' && !isReading(request)) throw new Forbidden();
    request.principal = principal;
    const scope = scopeFor(access, principal);
    if (scope !== undefined) request.scope = scope;
    return true;
  }

  /** A browser adds its cookies to whatever it sends, so that they count only where nothing was chosen to be shown. */
  private async callerOf(request: FastifyRequest): Promise<Principal> {
    if (request.headers.authorization !== undefined || !this.webSessions.isShown(request))
      return this.credentials.authenticate(bearerOf(request));
    const principal = await this.webSessions.authenticate(request);
    request.isByCookie = true;
    return principal;
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard where the caller was known by a cookie. */
    isByCookie?: true;
  }
}

/** @throws CredentialMissing */
export function bearerOf(request: Pick<FastifyRequest, 'headers'>): string {
  const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new CredentialMissing();
  return token;
}
