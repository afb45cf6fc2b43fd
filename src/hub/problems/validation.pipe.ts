import { ValidationPipe, type ArgumentMetadata, type ValidationError } from '@nestjs/common';
import { withQuotedNames } from './as-given.js';
import type { ProblemField } from './code.js';
import { CodedError } from './coded.error.js';
import { DEEPEST, isDeeperThan } from './depth.js';

/**
 * Bodies, queries and parameters against their DTO: unknown fields are refused, and no value is echoed. Of a body nothing is
 * dropped in silence.
 */
export function validationPipe(): ValidationPipe {
  return new BoundedPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) =>
      new CodedError('request_invalid', undefined, {
        fields: errors.flatMap((error) => fieldsOf(error, '')),
      }),
  });
}

class BoundedPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type !== 'body') return super.transform(value, metadata) as Promise<unknown>;
    if (isDeeperThan(value, DEEPEST)) {
      const rule = `must not be nested more than ${DEEPEST} levels deep`;
      throw new CodedError('request_invalid', undefined, { fields: [{ path: '', rule }] });
    }
    return super.transform(withQuotedNames(value), metadata) as Promise<unknown>;
  }
}

function fieldsOf(error: ValidationError, parent: string): ProblemField[] {
  const path = parent === '' ? error.property : `${parent}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((rule) => ({ path, rule }));
  return [...own, ...(error.children ?? []).flatMap((child) => fieldsOf(child, path))];
}
