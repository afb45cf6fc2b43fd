import { describe, expect, it } from '@jest/globals';
import { Type } from 'class-transformer';
import { IsArray, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';
import { AsGiven } from './as-given.js';
import { CodedError } from './coded.error.js';
import { validationPipe } from './validation.pipe.js';

class ItemDto {
  @IsObject()
  @AsGiven()
  args: object;
}

class BodyDto {
  @IsOptional()
  @IsObject()
  @AsGiven()
  args: object = { by: 'default' };

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => ItemDto)
  items?: ItemDto[];

  @IsOptional()
  @IsString({ each: true })
  texts?: string[];
}

const read = async (text: string) =>
  validationPipe().transform(JSON.parse(text), { type: 'body', metatype: BodyDto }) as Promise<BodyDto>;

async function refused(text: string): Promise<unknown> {
  const error: unknown = await read(text).catch((thrown: unknown) => thrown);
  return error instanceof CodedError ? error.extra.fields : error;
}

/** Names of which every object has something, and one that pipes have a habit of deleting. */
const NAMES = [...Object.getOwnPropertyNames(Object.prototype), 'prototype'];

describe('a member that is taken as it was given', () => {
  it.each(NAMES)('has its own %s, at any depth and whatever that is', async (name) => {
    const args = `{"${name}":{"${name}":[{"${name}":1}]},"a":[{"${name}":null,"${name}x":"y"}]}`;

    const body = await read(`{"args":${args},"items":[{"args":${args}},{"args":{}}]}`);

    expect(JSON.stringify(body.args)).toBe(args);
    expect(body.items?.map((item) => JSON.stringify(item.args))).toEqual([args, '{}']);
  });

  it('keeps its default where the body does not have it, and is judged where it does', async () => {
    expect((await read('{}')).args).toEqual({ by: 'default' });
    expect(await refused('{"args":[{"constructor":1}]}')).toEqual([
      { path: 'args', rule: 'args must be an object' },
    ]);
  });
});

describe('any other member of such a name', () => {
  it.each(NAMES)('is refused by its name: %s', async (name) => {
    const quoted = `"${name}"`;
    const rule = `property ${quoted} should not exist`;

    expect(await refused(`{${quoted}:1}`)).toEqual([{ path: quoted, rule }]);
    expect(await refused(`{"items":[{"args":{},${quoted}:{}}]}`)).toEqual([
      { path: `items.0.${quoted}`, rule },
    ]);
    expect(await refused(`{"texts":[{${quoted}:1}]}`)).toEqual([
      { path: 'texts', rule: 'each value in texts must be a string' },
    ]);
  });
});
