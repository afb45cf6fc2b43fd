import { CodedError } from '../problems/coded.error.js';
import { formatVersion, type Version } from './version-floor.js';

export class ProjectNameTaken extends CodedError {
  constructor() {
    super('project_name_taken');
  }
}

export class ProjectArchived extends CodedError {
  constructor() {
    super('project_archived');
  }
}

/** Brokers that were turned away by a floor must not find it lower later: nothing would tell them. */
export class VersionFloorLowered extends CodedError {
  constructor(floor: Version) {
    super('version_floor_lowered', `The floor is ${formatVersion(floor)}.`, {
      members: { minBrokerVersion: formatVersion(floor) },
    });
  }
}

export class RevisionStale extends CodedError {
  constructor(revision: number) {
    super('revision_stale', undefined, { members: { revision } });
  }
}
