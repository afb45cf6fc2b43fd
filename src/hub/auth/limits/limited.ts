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
import { from, throwError, type Observable } from 'rxjs';
import { catchError, switchMap } from 'rxjs/operators';
import type { LimitClass } from '../../config/rate-limits.js';
import { asCoded } from '../../problems/problem.filter.js';
import { addressKeyOf } from './address-key.js';
import { RateLimiter } from './rate-limiter.js';

const LIMITED = 'fairlead:limited';

/** Counts what fails here against the address that it came from, and refuses an address that has failed too often. */
export function LimitedByFailures(name: LimitClass): MethodDecorator {
  return applyDecorators(SetMetadata<string, LimitClass>(LIMITED, name), UseInterceptors(CountFailures));
}

/** Stands behind the guard that says who calls: limits people by whom they are, and failures by address. */
@Injectable()
export class LimitGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly limiter: RateLimiter,
  ) {}

  /** @throws RateLimited, RateUndecided */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType<string>() !== 'http') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { principal, method, ip } = request;
    if (principal !== undefined) {
      await this.limiter.take(method === 'GET' || method === 'HEAD' ? 'read' : 'write', principal.userId);
      return true;
    }
    const name = this.reflector.get<LimitClass | undefined>(LIMITED, context.getHandler());
    if (name !== undefined) this.limiter.check(name, addressKeyOf(ip));
    return true;
  }
}

@Injectable()
export class CountFailures implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly limiter: RateLimiter,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const name = this.reflector.get<LimitClass>(LIMITED, context.getHandler());
    const { ip } = context.switchToHttp().getRequest<FastifyRequest>();
    return next.handle().pipe(
      catchError((error: unknown) => {
        const fail = throwError(() => error);
        // What the hub could not do is nobody's guess.
        if (asCoded(error).status >= 500) return fail;
        return from(this.limiter.take(name, addressKeyOf(ip))).pipe(switchMap(() => fail));
      }),
    );
  }
}
