import {
  applyDecorators,
  Injectable,
  SetMetadata,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { lastValueFrom, of, type Observable } from 'rxjs';
import type { LimitClass } from '../../config/rate-limits.js';
import { isReading } from '../../http/reading.js';
import type { ProblemCode } from '../../problems/code.js';
import { asCoded } from '../../problems/problem.filter.js';
import { SignInNotBegun } from '../auth.errors.js';
import { addressKeyOf } from './address-key.js';
import { RateLimiter } from './rate-limiter.js';

const LIMITED = 'fairlead:limited';

/**
 * Codes of answers that say to ask again, and of requests that nobody could read: no credential was refused by them, and any web page has the
 * browsers of its visitors send the latter. `slow_down` is none of them: each of these writes a row, and whoever does not keep to the
 * interval would ask without end.
 */
const NO_GUESS: ReadonlySet<ProblemCode> = new Set([
  'authorization_pending',
  'sign_ins_busy',
  'rate_limited',
  'request_invalid',
]);

/** Counts what fails here against the address that it came from, or the person, and refuses who has failed too often, before it is tried. */
export function LimitedByFailures(name: LimitClass): MethodDecorator {
  return applyDecorators(SetMetadata<string, LimitClass>(LIMITED, name), UseInterceptors(CountFailures));
}

/** Stands behind the guard that says who calls: limits people by whom they are. */
@Injectable()
export class LimitGuard implements CanActivate {
  constructor(private readonly limiter: RateLimiter) {}

  /** @throws RateLimited, RateUndecided */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType<string>() !== 'http') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { principal } = request;
    if (principal !== undefined) {
      await this.limiter.take(isReading(request) ? 'read' : 'write', principal.userId);
    }
    return true;
  }
}

@Injectable()
export class CountFailures implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly limiter: RateLimiter,
  ) {}

  /** @throws RateLimited, RateUndecided */
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const name = this.reflector.get<LimitClass>(LIMITED, context.getHandler());
    const { ip, principal } = context.switchToHttp().getRequest<FastifyRequest>();
    const ended = await this.limiter.admit(name, principal?.userId ?? addressKeyOf(ip));
    let answer: unknown;
    try {
      answer = await lastValueFrom(next.handle());
    } catch (error) {
      await ended(isGuess(error));
      throw error;
    }
    await ended(false);
    return of(answer);
  }
}

function isGuess(error: unknown): boolean {
  const { status, code } = asCoded(error);
  // What the hub could not do is nobody's guess.
  return status < 500 && !NO_GUESS.has(code) && !(error instanceof SignInNotBegun);
}
