import { Type } from 'class-transformer';
import { IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { isUuid } from '../../protocol/read.js';
import { CodedError } from '../problems/coded.error.js';
import { ApiPropertyOptional } from './described.js';
import { Omittable } from './omittable.js';

/** Which part of a list is wanted. */
export class PageQuery {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 500, default: 50 })
  @Omittable()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(500)
  limit = 50;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before.' })
  @Omittable()
  @IsString()
  @MaxLength(500)
  cursor?: string;
}

/** Rows of a list, and whether it goes on behind them though they are fewer than were asked for. */
export type Part<R> = { rows: R[]; isCut: boolean };

/** A list kept in the order of its ids, newest first or oldest first, under a name that its cursors are bound to. */
export async function readPage<R extends { id: string }>(
  list: string,
  query: PageQuery,
  read: (last: string | null, limit: number) => Promise<R[] | Part<R>>,
): Promise<{ rows: R[]; nextCursor: string | null }> {
  // One row more than asked for tells whether another page follows.
  const found = await read(idOf(list, query.cursor), query.limit + 1);
  const part = Array.isArray(found) ? { rows: found, isCut: false } : found;
  const rows = part.rows.slice(0, query.limit);
  const last = rows.at(-1);
  const hasMore = (part.isCut || part.rows.length > rows.length) && last !== undefined;
  return { rows, nextCursor: hasMore ? Buffer.from(`${list}:${last.id}`).toString('base64url') : null };
}

function idOf(list: string, cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const text = Buffer.from(cursor, 'base64url').toString();
  const id = text.slice(list.length + 1);
  if (text.startsWith(`${list}:`) && isUuid(id)) return id;
  const rule = 'must be the nextCursor of a page of this list';
  throw new CodedError('request_invalid', undefined, { fields: [{ path: 'cursor', rule }] });
}
