import { CodedError, NotFound } from '../problems/coded.error.js';
import { AttachmentRevoked, BrokerNotAttached } from '../registry/attachment.errors.js';
import { ProjectArchived } from '../registry/project.errors.js';
import { formatVersion, versionOfSoftware } from '../registry/version-floor.js';
import type { JudgedByProject, ProjectRefusal } from './project.columns.js';

/** The broker finishes what it has, and is given no new work in the project. */
export class VersionFloorExceeded extends CodedError {
  constructor({ floor, software }: Partial<JudgedByProject>) {
    const version = versionOfSoftware(software ?? '');
    super('version_floor_exceeded', undefined, {
      members: {
        minBrokerVersion: floor ? formatVersion(floor) : null,
        brokerVersion: version && formatVersion(version),
      },
    });
  }
}

export class QuotaExceeded extends CodedError {
  constructor({ queued, quota }: Partial<JudgedByProject>) {
    super('quota_exceeded', undefined, { retryAfterS: 5, members: { depth: queued, maxPending: quota } });
  }
}

/** @returns NotFound, ProjectArchived, AttachmentRevoked, BrokerNotAttached, VersionFloorExceeded, QuotaExceeded */
export function refusalOfProject(refusal: ProjectRefusal, judged: Partial<JudgedByProject>): CodedError {
  switch (refusal) {
    case 'project_unknown':
      return new NotFound('project');
    case 'project_archived':
      return new ProjectArchived();
    case 'attachment_revoked':
      return new AttachmentRevoked();
    case 'unattached':
      return new BrokerNotAttached();
    case 'below_floor':
      return new VersionFloorExceeded(judged);
    case 'over_quota':
      return new QuotaExceeded(judged);
  }
}
