import { IsIn } from 'class-validator';
import { Omittable } from '../../http/omittable.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import type { RosterRow } from '../attachment.repository.js';
import { ATTACHMENT_STATES, type AttachmentState } from '../attachment-state.js';
import { AdmissionDto, admissionOf } from './admission.dto.js';
import { ListBrokersQuery } from './broker-filter.js';
import { BrokerFactsDto } from './broker-facts.dto.js';

export class RosterQuery extends ListBrokersQuery {
  @ApiPropertyOptional({ enum: ATTACHMENT_STATES })
  @Omittable()
  @IsIn(ATTACHMENT_STATES)
  state?: AttachmentState;
}

export class RosterBrokerDto extends BrokerFactsDto {
  @ApiProperty({ type: AdmissionDto })
  attachment: AdmissionDto;

  static of(row: RosterRow): RosterBrokerDto {
    return { ...BrokerFactsDto.ofFacts(row), attachment: admissionOf(row, row.now) };
  }
}

export class RosterPageDto {
  @ApiProperty({ type: [RosterBrokerDto] })
  items: RosterBrokerDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
