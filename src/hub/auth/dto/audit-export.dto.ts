import { Type } from 'class-transformer';
import { IsInt, Max, Min } from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import type { LinkRow, UnlinkedRow } from '../audit-chain.repository.js';
import type { ChainedRow } from '../audit-chain.js';
import { AuditDto } from './audit.dto.js';
import { Omittable } from '../../http/omittable.js';

export class ExportAuditQuery {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    default: 0,
    description: '`nextAfter` of the page before.',
  })
  @Omittable()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  after = 0;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 500, default: 500 })
  @Omittable()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(500)
  limit = 500;
}

/** As it is hashed: `at` has the database's microseconds. */
export class ChainedAuditDto extends AuditDto {
  @ApiProperty({ type: 'integer', description: 'The order in which they were written; there may be gaps.' })
  seq: number;
}

export class AuditLinkDto {
  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'The place in the chain, from 1 without a gap; null for what has none.',
  })
  position: number | null;

  @ApiProperty({ format: 'uuid', description: 'Of the row.' })
  id: string;

  @ApiProperty({ type: String, nullable: true, description: 'SHA-256 of the row as it was then, in hex.' })
  rowHash: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'SHA-256 of the hash before, the position and the hash of the row, in hex.',
  })
  hash: string | null;

  @ApiProperty({ description: 'Whether the row is still to be linked, which takes seconds.' })
  isAwaited: boolean;

  @ApiProperty({ type: ChainedAuditDto, nullable: true, description: 'The row; null where it is gone.' })
  entry: ChainedRow | null;

  static of({ position, auditId, rowHash, hash, row }: LinkRow): AuditLinkDto {
    const hashes = { rowHash: rowHash.toString('hex'), hash: hash.toString('hex') };
    return { position, id: auditId, ...hashes, isAwaited: false, entry: row };
  }

  static ofUnlinked({ auditId, isAwaited, row }: UnlinkedRow): AuditLinkDto {
    return { position: null, id: auditId, rowHash: null, hash: null, isAwaited, entry: row };
  }
}

export class AuditExportDto {
  @ApiProperty({
    type: [AuditLinkDto],
    description: 'In the order of the chain; on the last page also what has no link.',
  })
  items: AuditLinkDto[];

  @ApiProperty({ type: 'integer', nullable: true })
  nextAfter: number | null;
}
