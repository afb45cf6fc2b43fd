import { formatVersion, type Version } from '../registry/version-floor.js';
import { PENDING_MOST } from './depths.js';

/**
 * Whether a command for a broker in a project would be stored now, and if not why: the first that holds is the one, in
 * the order in which an insert looks for them. What is refused leaves no row that could be asked.
 */
export const ADMISSIONS = [
  'broker_revoked',
  'project_archived',
  'attachment_revoked',
  'not_attached',
  'read_only',
  'backlog',
  'quota',
  'admitted',
] as const;
export type AdmissionCause = (typeof ADMISSIONS)[number];

/** A broker and a project, and everything around them that decides, all of one moment. */
export type ProjectCircumstances = {
  projectId: string;
  projectName: string;
  archivedAt: Date | null;
  floor: Version | null;
  maxPending: number;
  /** Live commands of the project, counted up to its quota. */
  queued: number;
  brokerId: string;
  brokerName: string;
  software: string;
  revokedAt: Date | null;
  /** Live commands of the broker, counted up to its cap. */
  depth: number;
  attachment: string | null;
  attachmentChangedAt: Date | null;
  detachedAt: Date | null;
  isBelowFloor: boolean;
  presence: string | null;
  brokerSeenAt: Date | null;
  /** The database's time. */
  now: Date;
};

export type ProjectWhy = {
  cause: AdmissionCause;
  /** What is the case. */
  explanation: string;
  /** What somebody can do. */
  unblocks: string;
};

export function admissionOf(about: ProjectCircumstances): AdmissionCause {
  if (about.revokedAt !== null) return 'broker_revoked';
  if (about.archivedAt !== null) return 'project_archived';
  if (about.attachment === 'revoked') return 'attachment_revoked';
  if (about.attachment === null || about.detachedAt !== null) return 'not_attached';
  if (about.isBelowFloor) return 'read_only';
  if (about.depth >= PENDING_MOST) return 'backlog';
  if (about.queued >= about.maxPending) return 'quota';
  return 'admitted';
}

/** The cause in words, and what would change it. */
export function explainAdmission(about: ProjectCircumstances): ProjectWhy {
  const cause = admissionOf(about);
  return { cause, ...WORDS[cause](about) };
}

const WORDS: Readonly<Record<AdmissionCause, (about: ProjectCircumstances) => Omit<ProjectWhy, 'cause'>>> = {
  broker_revoked: ({ brokerName }) => ({
    explanation: `The broker ${brokerName} was revoked.`,
    unblocks: 'Nothing: use another broker.',
  }),
  project_archived: ({ projectName }) => ({
    explanation: `The project ${projectName} is archived.`,
    unblocks: 'Nothing: name another project, or none.',
  }),
  attachment_revoked: ({ projectName }) => ({
    explanation: `The broker was taken out of ${projectName} for ever.`,
    unblocks: 'Nothing: use another broker.',
  }),
  not_attached: ({ projectName, brokerName }) => ({
    explanation: `The broker is not attached to ${projectName}.`,
    unblocks: `\`fairlead projects attach ${projectName} ${brokerName}\`.`,
  }),
  read_only: ({ floor, software, projectName }) => ({
    explanation:
      `The broker runs ${software}, and ${projectName} asks for ${floor === null ? 'more' : formatVersion(floor)}: it is ` +
      'read-only there. It finishes what it has, and can be asked for data.',
    unblocks: 'Upgrade the broker: its next link counts.',
  }),
  backlog: ({ depth }) => ({
    explanation: `${depth} commands wait for the broker, and no more may.`,
    unblocks: 'Commands that end; `fairlead why` tells what one of them waits for.',
  }),
  quota: ({ queued, maxPending, projectName }) => ({
    explanation: `${projectName} has ${queued} live commands, and may have ${maxPending}.`,
    unblocks: 'Commands that end, or a higher quota: `fairlead projects update --max-pending`.',
  }),
  admitted: ({ presence }) => ({
    explanation:
      presence === 'online' || presence === 'degraded'
        ? 'Nothing is in the way of new commands.'
        : 'New commands are accepted, and wait until the broker connects.',
    unblocks: 'Nothing is needed.',
  }),
};
