import { IsIn, Matches } from 'class-validator';
import { Omittable } from '../../auth/dto/omittable.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { isReadOnly } from '../attachment-news.js';
import type { RosterRow } from '../attachment.repository.js';
import { ATTACHMENT_STATES, type AttachmentState } from '../attachment-state.js';
import { PRESENCE_STATES, type PresenceState } from '../presence-state.js';
import { ListAttachmentsQuery } from './attachment.dto.js';
import { BrokerDto } from './broker.dto.js';

const LABEL = /^([^=]{1,128})=(.{0,128})$/;

export class RosterQuery extends ListAttachmentsQuery {
  @ApiPropertyOptional({ example: 'zone=eu', description: 'A label that the broker must have.' })
  @Omittable()
  @Matches(LABEL, { message: 'must be name=value' })
  label?: string;

  @ApiPropertyOptional({ enum: PRESENCE_STATES })
  @Omittable()
  @IsIn(PRESENCE_STATES)
  presence?: PresenceState;

  static labelsOf({ label }: RosterQuery): Record<string, string> | null {
    const [, name, value] = LABEL.exec(label ?? '') ?? [];
    return name === undefined || value === undefined ? null : { [name]: value };
  }
}

export class AdmissionDto {
  @ApiProperty({ enum: ATTACHMENT_STATES })
  state: AttachmentState;

  @ApiProperty()
  readOnly: boolean;

  @ApiProperty({ format: 'date-time', description: 'When the state changed last.' })
  changedAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  detachedAt: string | null;
}

export class RosterBrokerDto extends BrokerDto {
  @ApiProperty({ type: AdmissionDto })
  attachment: AdmissionDto;

  static ofRoster(row: RosterRow): RosterBrokerDto {
    const { state, changedAt, detachedAt } = row;
    const attachment = {
      state,
      readOnly: isReadOnly(row),
      changedAt: changedAt.toISOString(),
      detachedAt: detachedAt?.toISOString() ?? null,
    };
    return { ...BrokerDto.of(row), attachment };
  }
}

export class RosterPageDto {
  @ApiProperty({ type: [RosterBrokerDto] })
  items: RosterBrokerDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
