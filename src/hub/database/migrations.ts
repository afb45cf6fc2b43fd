import { CreateReplicas1790000000001 } from '../../../migrations/1790000000001-CreateReplicas.js';
import { CreateBrokers1790000000002 } from '../../../migrations/1790000000002-CreateBrokers.js';
import { CreateCredentials1790000000003 } from '../../../migrations/1790000000003-CreateCredentials.js';
import { CreateDispatches1790000000004 } from '../../../migrations/1790000000004-CreateDispatches.js';
import { CreateAgents1790000000005 } from '../../../migrations/1790000000005-CreateAgents.js';
import { CreateProjects1790000000006 } from '../../../migrations/1790000000006-CreateProjects.js';
import { CreateBrokerStays1790000000007 } from '../../../migrations/1790000000007-CreateBrokerStays.js';
import { AddBrokerService1790000000008 } from '../../../migrations/1790000000008-AddBrokerService.js';
import { AddCapabilitiesRevision1790000000009 } from '../../../migrations/1790000000009-AddCapabilitiesRevision.js';
import { FencePresence1790000000010 } from '../../../migrations/1790000000010-FencePresence.js';
import { IndexByKeyFirst1790000000011 } from '../../../migrations/1790000000011-IndexByKeyFirst.js';
import { AddPeerLinks1790000000012 } from '../../../migrations/1790000000012-AddPeerLinks.js';
import { AdmitPolls1790000000013 } from '../../../migrations/1790000000013-AdmitPolls.js';
import { CreateAgentStrays1790000000014 } from '../../../migrations/1790000000014-CreateAgentStrays.js';
import { CreateAudit1790000000015 } from '../../../migrations/1790000000015-CreateAudit.js';
import { DropHistoryPartition1790000000016 } from '../../../migrations/1790000000016-DropHistoryPartition.js';
import { IndexRedrives1790000000017 } from '../../../migrations/1790000000017-IndexRedrives.js';
import { AddPeople1790000000018 } from '../../../migrations/1790000000018-AddPeople.js';
import { AddSignIn1790000000019 } from '../../../migrations/1790000000019-AddSignIn.js';
import { ChainAudit1790000000020 } from '../../../migrations/1790000000020-ChainAudit.js';
import { CreateRateBuckets1790000000021 } from '../../../migrations/1790000000021-CreateRateBuckets.js';
import { CreateMoveBudget1790000000022 } from '../../../migrations/1790000000022-CreateMoveBudget.js';
import { CreateRollouts1790000000023 } from '../../../migrations/1790000000023-CreateRollouts.js';
import { AddDeviceGrants1790000000025 } from '../../../migrations/1790000000025-AddDeviceGrants.js';
import { AddUserIdentities1790000000026 } from '../../../migrations/1790000000026-AddUserIdentities.js';
import { CapDeviceGrantsByAddress1790000000027 } from '../../../migrations/1790000000027-CapDeviceGrantsByAddress.js';
import { AddBrokerKeyOverlap1790000000028 } from '../../../migrations/1790000000028-AddBrokerKeyOverlap.js';
import { IndexLinkBound1790000000030 } from '../../../migrations/1790000000030-IndexLinkBound.js';
import { AddInviteRevocation1790000000031 } from '../../../migrations/1790000000031-AddInviteRevocation.js';
import { KeepAnswersOfKeys1790000000032 } from '../../../migrations/1790000000032-KeepAnswersOfKeys.js';
import { IndexHistoryLists1790000000033 } from '../../../migrations/1790000000033-IndexHistoryLists.js';
import { AddUndoOfAgents1790000000034 } from '../../../migrations/1790000000034-AddUndoOfAgents.js';
import { IndexProjectBySeq1790000000035 } from '../../../migrations/1790000000035-IndexProjectBySeq.js';

/** Every migration, oldest first. Named one by one, since a glob would not survive packaging. */
export const MIGRATIONS = [
  CreateReplicas1790000000001,
  CreateBrokers1790000000002,
  CreateCredentials1790000000003,
  CreateDispatches1790000000004,
  CreateAgents1790000000005,
  CreateProjects1790000000006,
  CreateBrokerStays1790000000007,
  AddBrokerService1790000000008,
  AddCapabilitiesRevision1790000000009,
  FencePresence1790000000010,
  IndexByKeyFirst1790000000011,
  AddPeerLinks1790000000012,
  AdmitPolls1790000000013,
  CreateAgentStrays1790000000014,
  CreateAudit1790000000015,
  DropHistoryPartition1790000000016,
  IndexRedrives1790000000017,
  AddPeople1790000000018,
  AddSignIn1790000000019,
  ChainAudit1790000000020,
  CreateRateBuckets1790000000021,
  CreateMoveBudget1790000000022,
  CreateRollouts1790000000023,
  AddDeviceGrants1790000000025,
  AddUserIdentities1790000000026,
  CapDeviceGrantsByAddress1790000000027,
  AddBrokerKeyOverlap1790000000028,
  IndexLinkBound1790000000030,
  AddInviteRevocation1790000000031,
  KeepAnswersOfKeys1790000000032,
  IndexHistoryLists1790000000033,
  AddUndoOfAgents1790000000034,
  IndexProjectBySeq1790000000035,
];

/** How the migrations of a database stand to those of this release, by name. */
export function compareMigrations(applied: readonly string[]): { ahead: string[]; behind: string[] } {
  const known: string[] = MIGRATIONS.map(({ name }) => name);
  return {
    ahead: applied.filter((name) => !known.includes(name)),
    behind: known.filter((name) => !applied.includes(name)),
  };
}
