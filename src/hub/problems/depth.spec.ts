import { describe, expect, it } from '@jest/globals';
import type { ArgumentMetadata } from '@nestjs/common';
import { IsArray } from 'class-validator';
import { CodedError } from './coded.error.js';
import { DEEPEST, isDeeperThan } from './depth.js';
import { validationPipe } from './validation.pipe.js';

class Dto {
  @IsArray()
  list: unknown[];
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

describe('the depth of a body', () => {
  it('is counted in levels of lists and objects', () => {
    expect([0, 1, 5, 6, 7, 50_000].map((levels) => isDeeperThan(nested(levels), 6))).toEqual([
      ...[false, false, false, false],
      ...[true, true],
    ]);
  });

  it.each([DEEPEST, 5_000, 100_000])(
    'past the cap is the fault of who sends it: %d levels',
    async (levels) => {
      const metadata: ArgumentMetadata = { type: 'body', metatype: Dto };

      const refused = validationPipe().transform({ list: [nested(levels)] }, metadata);

      await expect(refused).rejects.toThrow(CodedError);
      await expect(refused).rejects.toMatchObject({ code: 'request_invalid' });
    },
  );

  it('up to the cap is taken', async () => {
    const body = { list: [nested(DEEPEST - 2)] };

    expect(await validationPipe().transform(body, { type: 'body', metatype: Dto })).toMatchObject(body);
  });
});
