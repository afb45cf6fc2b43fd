import { ApiProperty } from '../../http/described.js';
import { formatVersion } from '../../registry/version-floor.js';
import {
  ADMISSIONS,
  explainAdmission,
  type AdmissionCause,
  type ProjectCircumstances,
} from '../project-why.js';
import { factAt, FactDto } from './why.dto.js';

export class ProjectWhyDto {
  @ApiProperty({ type: Object, description: 'The project: id and name.' })
  project: { id: string; name: string };

  @ApiProperty({ type: Object, description: 'The broker: id and name.' })
  broker: { id: string; name: string };

  @ApiProperty({ enum: ADMISSIONS, description: '`admitted`: new commands are taken.' })
  cause: AdmissionCause;

  @ApiProperty({ description: 'The cause in a sentence.' })
  explanation: string;

  @ApiProperty({ description: 'What would change it.' })
  unblocks: string;

  @ApiProperty({ type: [FactDto] })
  facts: FactDto[];

  static of(about: ProjectCircumstances): ProjectWhyDto {
    const { projectId, projectName, brokerId, brokerName } = about;
    return {
      project: { id: projectId, name: projectName },
      broker: { id: brokerId, name: brokerName },
      ...explainAdmission(about),
      facts: factsOf(about),
    };
  }
}

function factsOf(about: ProjectCircumstances): FactDto[] {
  const fact = factAt(about.now);
  return [
    fact('attachment', about.attachment ?? 'none', about.attachmentChangedAt),
    fact('detached', null, about.detachedAt),
    fact('version floor', about.floor === null ? 'none' : formatVersion(about.floor), null),
    fact('software', about.software, null),
    fact('live commands of quota', `${about.queued} of ${about.maxPending}`, null),
    fact('live commands of the broker', about.depth, null),
    fact('presence', about.presence, about.brokerSeenAt),
    fact('project archived', null, about.archivedAt),
    fact('broker revoked', null, about.revokedAt),
  ].filter(({ value, at }) => value !== null || at !== null);
}
