import { IsIn, IsString, Length } from 'class-validator';
import { Omittable } from '../../http/omittable.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { PageQuery } from '../../http/page.js';
import { isReadOnly } from '../attachment-news.js';
import type { AttachmentRow } from '../attachment.repository.js';
import { ATTACHMENT_STATES, type AttachmentState } from '../attachment-state.js';

export class AttachDto {
  @ApiProperty({ description: 'A broker by id or name.' })
  @IsString()
  @Length(1, 64)
  broker: string;
}

export class ListAttachmentsQuery extends PageQuery {
  @ApiPropertyOptional({ enum: ATTACHMENT_STATES })
  @Omittable()
  @IsIn(ATTACHMENT_STATES)
  state?: AttachmentState;
}

class NamedDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;
}

export class AttachmentDto {
  @ApiProperty({ format: 'uuid', description: 'The same for as long as the project and the broker exist.' })
  id: string;

  @ApiProperty({ type: NamedDto })
  project: NamedDto;

  @ApiProperty({ type: NamedDto })
  broker: NamedDto;

  @ApiProperty({ enum: ATTACHMENT_STATES })
  state: AttachmentState;

  @ApiProperty({
    description: "Whether the broker is below the project's version floor, and is given no new work there.",
  })
  readOnly: boolean;

  @ApiProperty({ description: 'Whether it is the only project that the broker may be attached to.' })
  exclusive: boolean;

  @ApiProperty({ format: 'uuid', description: 'The user who attached it last.' })
  attachedBy: string;

  @ApiProperty({ format: 'date-time' })
  attachedAt: string;

  @ApiProperty({ format: 'date-time', description: 'When the state changed last.' })
  changedAt: string;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'null while it is only the broker that is away: its next link takes the place again.',
  })
  detachedAt: string | null;

  static of(row: AttachmentRow): AttachmentDto {
    const { id, state, isExclusive, attachedBy } = row;
    return {
      id,
      project: { id: row.projectId, name: row.projectName },
      broker: { id: row.brokerId, name: row.brokerName },
      state,
      readOnly: isReadOnly(row),
      exclusive: isExclusive,
      attachedBy,
      attachedAt: row.attachedAt.toISOString(),
      changedAt: row.changedAt.toISOString(),
      detachedAt: row.detachedAt?.toISOString() ?? null,
    };
  }
}

export class AttachmentPageDto {
  @ApiProperty({ type: [AttachmentDto] })
  items: AttachmentDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
