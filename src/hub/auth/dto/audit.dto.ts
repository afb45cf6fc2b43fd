import { IsIn, IsUUID } from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { PageQuery } from '../../http/page.js';
import { ACTOR_KINDS } from '../actor.js';
import { ACTS, AUDIT_OUTCOMES, SUBJECT_KINDS, type Act, type AuditOutcome } from '../audit-entry.js';
import type { AuditRow } from '../audit.repository.js';
import { Omittable } from '../../http/omittable.js';

export class ListAuditQuery extends PageQuery {
  @ApiPropertyOptional({ enum: ACTS })
  @Omittable()
  @IsIn(ACTS)
  act?: Act;

  @ApiPropertyOptional({ format: 'uuid', description: 'Who did it.' })
  @Omittable()
  @IsUUID()
  actor?: string;

  @ApiPropertyOptional({
    format: 'uuid',
    description: 'What it was done to: the id of a broker, a project, a user, a token or a replica.',
  })
  @Omittable()
  @IsUUID()
  subject?: string;

  @ApiPropertyOptional({ enum: AUDIT_OUTCOMES })
  @Omittable()
  @IsIn(AUDIT_OUTCOMES)
  outcome?: AuditOutcome;
}

class ActorDto {
  @ApiProperty({ enum: ACTOR_KINDS })
  kind: string;

  @ApiProperty({ type: String, nullable: true, format: 'uuid' })
  id: string | null;

  @ApiProperty({ type: String, nullable: true })
  name: string | null;

  @ApiProperty({ type: String, nullable: true, format: 'uuid', description: 'The token that was shown.' })
  credentialId: string | null;
}

class SubjectDto {
  @ApiProperty({ enum: SUBJECT_KINDS })
  kind: string;

  @ApiProperty({ type: String, nullable: true, format: 'uuid' })
  id: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'As it was called then.' })
  name: string | null;
}

/** One thing that somebody did. */
export class AuditDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ format: 'date-time' })
  at: string;

  @ApiProperty({ enum: ACTS })
  act: Act;

  @ApiProperty({ enum: AUDIT_OUTCOMES, description: '`unchanged`: it was so already.' })
  outcome: AuditOutcome;

  @ApiProperty({ type: String, nullable: true, description: 'Of the problem that it was refused with.' })
  code: string | null;

  @ApiProperty({ type: ActorDto })
  actor: ActorDto;

  @ApiProperty({ type: SubjectDto })
  subject: SubjectDto;

  @ApiProperty({ type: String, nullable: true, description: 'The peer of the connection that it came by.' })
  address: string | null;

  @ApiProperty({ type: String, nullable: true })
  requestId: string | null;

  @ApiProperty({ type: Object, description: 'What there is to say of it; other members may come.' })
  detail: object;

  static of(row: AuditRow): AuditDto {
    const { id, at, act, outcome, code, address, requestId, detail } = row;
    const { actorKind, actorId, actorName, credentialId, subjectKind, subjectId, subjectName } = row;
    return {
      id,
      at: at.toISOString(),
      act,
      outcome,
      code,
      actor: { kind: actorKind, id: actorId, name: actorName, credentialId },
      subject: { kind: subjectKind, id: subjectId, name: subjectName },
      address,
      requestId,
      detail,
    };
  }
}

export class AuditPageDto {
  @ApiProperty({ type: [AuditDto] })
  items: AuditDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
