import { IsString, Length, Matches } from 'class-validator';
import { IsLabels } from '../../auth/dto/labels.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { IsName } from '../../http/name.js';
import { Omittable } from '../../http/omittable.js';
import { AsGiven } from '../../problems/as-given.js';
import type { Admissions } from '../attachments.js';
import type { BrokerRow } from '../broker.repository.js';
import { admissionOf, ProjectAdmissionDto } from './admission.dto.js';
import { BrokerFactsDto } from './broker-facts.dto.js';

export class JoinBrokerDto {
  @ApiProperty({ description: 'A join token.' })
  @IsString()
  @Length(1, 256)
  token: string;

  @ApiProperty({ description: 'Ed25519 public key, base64url of its 32 bytes.' })
  @IsString()
  @Length(43, 43)
  publicKey: string;

  @IsName()
  name: string;

  @ApiProperty({ description: 'SHA-256 of the machine id, hex.' })
  @Matches(/^[0-9a-f]{64}$/, { message: 'must be 64 hexadecimal digits' })
  fingerprint: string;

  @ApiProperty()
  @IsString()
  @Length(1, 64)
  software: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @Omittable()
  @IsLabels()
  @AsGiven()
  labels: Record<string, string> = {};
}

export class JoinedBrokerDto {
  @ApiProperty({ format: 'uuid' })
  brokerId: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ description: 'The audience of the assertions with which the broker renews its access.' })
  hubId: string;

  @ApiProperty({ description: 'Opens the control channel.' })
  accessToken: string;

  @ApiProperty({ description: 'Seconds.' })
  expiresInS: number;
}

const NO_ADMISSIONS: Admissions = { rows: [], total: 0 };

/** A broker by all of its axes: who owns it, whether it lives, and which projects admit it. */
export class BrokerDto extends BrokerFactsDto {
  @ApiProperty({
    type: [ProjectAdmissionDto],
    description:
      'How it stands in the projects that the caller sees, 20 of them at most: first those that it is attached to, the latest ' +
      'before the others. `GET /api/v1/brokers/{broker}/attachments` lists all.',
  })
  attachments: ProjectAdmissionDto[];

  @ApiProperty({
    type: 'integer',
    description: 'How many there are of these, those that are left out among them.',
  })
  attachmentsTotal: number;

  static of(row: BrokerRow, { rows, total }: Admissions = NO_ADMISSIONS): BrokerDto {
    const attachments = rows.map((attachment) => {
      const { projectId: id, projectName: name } = attachment;
      return { project: { id, name }, ...admissionOf(attachment, row.now) };
    });
    return { ...BrokerFactsDto.ofFacts(row), attachments, attachmentsTotal: total };
  }
}

export class BrokerPageDto {
  @ApiProperty({ type: [BrokerDto] })
  items: BrokerDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
