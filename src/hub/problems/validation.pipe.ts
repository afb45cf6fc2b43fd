import { ValidationPipe, type ValidationError } from '@nestjs/common';
import type { ProblemField } from './code.js';
import { CodedError } from './coded.error.js';

/** Bodies, queries and parameters against their DTO: unknown fields are refused, and no value is echoed. */
export function validationPipe(): ValidationPipe {
  return new ValidationPipe({
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

function fieldsOf(error: ValidationError, parent: string): ProblemField[] {
  const path = parent === '' ? error.property : `${parent}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((rule) => ({ path, rule }));
  return [...own, ...(error.children ?? []).flatMap((child) => fieldsOf(child, path))];
}
