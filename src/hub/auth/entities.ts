import { AuditEntity } from './audit.entity.js';
import { AuditLinkEntity, AuditUnlinkedEntity } from './audit-link.entity.js';
import { RateBucketEntity } from './limits/rate-bucket.entity.js';
import { BrokerKeyEntity } from './broker-key.entity.js';
import { DeviceGrantEntity } from './device-grant.entity.js';
import { InviteEntity } from './invite.entity.js';
import { JoinTokenEntity } from './join-token.entity.js';
import { MemberEntity } from './member.entity.js';
import { PersonalTokenEntity } from './personal-token.entity.js';
import { RefreshTokenEntity } from './refresh-token.entity.js';
import { SigningKeyEntity } from './signing-key.entity.js';
import { SpentAssertionEntity } from './spent-assertion.entity.js';
import { UserEntity } from './user.entity.js';
import { UserIdentityEntity } from './user-identity.entity.js';
import { UserPasswordEntity } from './user-password.entity.js';
import { UserSessionEntity } from './user-session.entity.js';

/** The tables of this module, for the comparison of schema and code. */
export const AUTH_ENTITIES = [
  UserEntity,
  PersonalTokenEntity,
  JoinTokenEntity,
  BrokerKeyEntity,
  SigningKeyEntity,
  SpentAssertionEntity,
  AuditEntity,
  MemberEntity,
  UserPasswordEntity,
  InviteEntity,
  UserSessionEntity,
  RefreshTokenEntity,
  DeviceGrantEntity,
  UserIdentityEntity,
  AuditLinkEntity,
  AuditUnlinkedEntity,
  RateBucketEntity,
];
