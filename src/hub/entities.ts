import { AgentEntity } from './agents/agent.entity.js';
import { StrayEntity } from './agents/stray.entity.js';
import { AUTH_ENTITIES } from './auth/entities.js';
import { PeerNonceEntity } from './cluster/peers/nonce.entity.js';
import { HubIdentityEntity, ReplicaEntity } from './cluster/replica.entity.js';
import {
  DispatchEntity,
  DispatchFloorEntity,
  DispatchHistoryEntity,
  IdempotencyKeyEntity,
} from './dispatch/dispatch.entity.js';
import { MoveBudgetEntity } from './drain/move-budget.entity.js';
import { RolloutEntity } from './drain/rollout.entity.js';
import { PresenceEntity } from './heartbeat/presence.entity.js';
import { AttachmentEntity } from './registry/attachment.entity.js';
import { BrokerEntity } from './registry/broker.entity.js';
import { ConnectionEntity } from './registry/connection.entity.js';
import { ProjectEntity } from './registry/project.entity.js';
import { StayEntity } from './registry/stay.entity.js';

/** The classes of all tables. */
export const ENTITIES = [
  HubIdentityEntity,
  ReplicaEntity,
  PeerNonceEntity,
  BrokerEntity,
  ConnectionEntity,
  StayEntity,
  ProjectEntity,
  AttachmentEntity,
  PresenceEntity,
  ...AUTH_ENTITIES,
  DispatchEntity,
  DispatchFloorEntity,
  DispatchHistoryEntity,
  IdempotencyKeyEntity,
  AgentEntity,
  StrayEntity,
  MoveBudgetEntity,
  RolloutEntity,
];
