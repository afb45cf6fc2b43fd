import { ApiProperty } from '../../http/described.js';
import { isReadOnly } from '../attachment-news.js';
import type { AttachmentRow } from '../attachment.repository.js';
import { ATTACHMENT_STATES, type AttachmentState } from '../attachment-state.js';
import { ageS } from './age.js';

type Admitted = Pick<AttachmentRow, 'state' | 'changedAt' | 'detachedAt' | 'software' | 'floor'>;

export class AdmissionDto {
  @ApiProperty({ enum: ATTACHMENT_STATES })
  state: AttachmentState;

  @ApiProperty({
    description: "Whether the broker is below the project's version floor, and is given no new work there.",
  })
  readOnly: boolean;

  @ApiProperty({ format: 'date-time', description: 'When the state changed last.' })
  changedAt: string;

  @ApiProperty({ description: 'Seconds since then.' })
  ageS: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  detachedAt: string | null;
}

class AdmittingProjectDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;
}

export class ProjectAdmissionDto extends AdmissionDto {
  @ApiProperty({ type: AdmittingProjectDto })
  project: AdmittingProjectDto;
}

/** @param now the database's time */
export function admissionOf(attachment: Admitted, now: Date): AdmissionDto {
  const { state, changedAt, detachedAt } = attachment;
  return {
    state,
    readOnly: isReadOnly(attachment),
    changedAt: changedAt.toISOString(),
    ageS: ageS(changedAt, now),
    detachedAt: detachedAt?.toISOString() ?? null,
  };
}
