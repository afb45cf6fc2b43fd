import { LIMITS } from '../../protocol/limits.js';

/**
 * SQL for the size of a row's arguments, read without them: as they are stored, or where that is compressed, which may be
 * anything, the largest that there may be.
 */
export function argsBytesOf(row: string): string {
  return `case when pg_column_compression(${row}.args) is null then pg_column_size(${row}.args) else ${LIMITS.argsBytes} end`;
}
