import { IsIn } from 'class-validator';
import { Omittable } from '../../auth/dto/omittable.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { isReadOnly } from '../attachment-news.js';
import type { RosterRow } from '../attachment.repository.js';
import { ATTACHMENT_STATES, type AttachmentState } from '../attachment-state.js';
import { ageS } from './age.js';
import { ListBrokersQuery } from './broker-filter.js';
import { BrokerDto } from './broker.dto.js';

export class RosterQuery extends ListBrokersQuery {
  @ApiPropertyOptional({ enum: ATTACHMENT_STATES })
  @Omittable()
  @IsIn(ATTACHMENT_STATES)
  state?: AttachmentState;
}

export class AdmissionDto {
  @ApiProperty({ enum: ATTACHMENT_STATES })
  state: AttachmentState;

  @ApiProperty()
  readOnly: boolean;

  @ApiProperty({ format: 'date-time', description: 'When the state changed last.' })
  changedAt: string;

  @ApiProperty({ description: 'Seconds since then.' })
  ageS: number;

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
      ageS: ageS(changedAt, row.now),
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
