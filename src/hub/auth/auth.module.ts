import { Module } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { ClusterModule } from '../cluster/cluster.module.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { sealKeysOf } from '../config/secrets.js';
import { AccessGuard } from './access.guard.js';
import { AccessTokens } from './access-tokens.js';
import { AgentTokens } from './agent-tokens.js';
import { Assertions } from './assertions.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { AuditChaining } from './audit-chaining.js';
import { AuditController } from './audit.controller.js';
import { AuditRepository } from './audit.repository.js';
import { Audit } from './audit.js';
import { BrokerKeyController } from './broker-key.controller.js';
import { BrokerKeyRotation } from './broker-key-rotation.js';
import { BrokerKeyRepository } from './broker-key.repository.js';
import { BrokerKeys } from './broker-keys.js';
import { BrokerTokenController } from './broker-token.controller.js';
import { SealedCookies } from './cookies/sealed-cookies.js';
import { WebSessionController } from './cookies/web-session.controller.js';
import { WebSessions } from './cookies/web-sessions.js';
import { Credentials } from './credentials.js';
import { DeviceGrantController } from './device-grant.controller.js';
import { DeviceGrantRepository } from './device-grant.repository.js';
import { DeviceGrants } from './device-grants.js';
import { AuthDuties } from './duties.js';
import { FirstBoot } from './first-boot.js';
import { InviteController } from './invite.controller.js';
import { InviteRepository } from './invite.repository.js';
import { Invites } from './invites.js';
import { JoinTokenController } from './join-token.controller.js';
import { JoinTokenRepository } from './join-token.repository.js';
import { JoinTokens } from './join-tokens.js';
import { LimitGuard } from './limits/limited.js';
import { RateBucketRepository } from './limits/rate-bucket.repository.js';
import { RateLimiter } from './limits/rate-limiter.js';
import { MeController } from './me.controller.js';
import { MemberRepository } from './member.repository.js';
import { Members } from './members.js';
import { Passwords } from './passwords.js';
import { IdentityRepository } from './oidc/identity.repository.js';
import { OidcController } from './oidc/oidc.controller.js';
import { OidcSignIns } from './oidc/oidc-sign-ins.js';
import { Provider } from './oidc/provider.js';
import { PeopleNews } from './people-news.js';
import { PersonalTokenController } from './personal-token.controller.js';
import { PersonalTokenRepository } from './personal-token.repository.js';
import { PersonalTokens } from './personal-tokens.js';
import { RequestKeyRepository } from './request-key.repository.js';
import { RequestKeys } from './request-keys.js';
import { Sealer } from './sealer.js';
import { SessionController } from './session.controller.js';
import { SessionRepository } from './session.repository.js';
import { SessionTokens } from './session-tokens.js';
import { Sessions } from './sessions.js';
import { SignInRepository } from './sign-in.repository.js';
import { SignIns } from './sign-ins.js';
import { SigningKeyController } from './signing-key.controller.js';
import { SigningKeyRepository } from './signing-key.repository.js';
import { SigningKeyRotation } from './signing-key-rotation.js';
import { SigningKeys } from './signing-keys.js';
import { SpentAssertionRepository } from './spent-assertion.repository.js';
import { SpentProofs } from './spent-proofs.js';
import { UserController } from './user.controller.js';
import { UserRepository } from './user.repository.js';
import { Users } from './users.js';

/**
 * Who is calling, and may they?
 *
 * | caller | shows | good for | of use at |
 * | --- | --- | --- | --- |
 * | person or program | personal token `flp_...` | until it expires or is revoked | routes that ask for a person |
 * | person | name or address, and password | until it is changed | the sign-in |
 * | person | invite `fli_...` | once, within its time, until it is revoked or another is made | setting the first password |
 * | person | refresh token `flr_...` | until its successor is used | the exchange for the next pair |
 * | person | access token, a JWT | 15 minutes, while its session goes on | routes that ask for a person |
 * | program | device code `fld_...` | 10 minutes, once, after a person has approved it | the exchange for a personal token |
 * | person in a browser | what the OpenID provider has sent back, with a cookie of this browser | 10 minutes, once | the sign-in |
 * | person in a browser | sealed cookie, and for changes its origin and a token | 30 days, while its session goes on | routes that ask for a person |
 * | broker that joins | join token `flj_...` | its seats and its time | the join |
 * | broker | assertion signed with its key | 60 s, once | the exchange for an access token |
 * | broker | access token, a JWT, and a proof of its key | 15 minutes, each proof once | the control channel, and the exchange for an agent's token |
 * | agent | token of its run, a JWT that its broker has asked for | 15 minutes, while the run goes on | what an agent may ask of itself |
 *
 *     user:        let in <--enable/disable--> disabled, which makes all its tokens good for nothing
 *     join token:  open --seats taken--> used up       broker key:   waits --first use--> live --> retired
 *                    \--> expired, revoked             signing key:  live --> retired --1 h--> not taken
 *     invite:      open --its user sets a password--> redeemed
 *                    \--> expired, revoked
 *     assertion, proof:   unseen --redeemed--> spent --ended--> forgotten
 *
 * A signing key that was retired may sign for half an hour more, at a replica that does not have its successor yet.
 *
 * Guarantees: a route that does not declare who may call it is called by nobody. A credential of one kind is
 * refused where another belongs. Whoever shows nothing is told 401, whoever is known and may not 403, and where the
 * database is needed and away the answer is 503: never 401, on which clients give up, and never a yes. As many seats
 * of a join token are taken as it has, and an assertion is redeemed once, at whichever replicas these are tried. Of
 * opaque tokens only hashes are kept; private signing keys are sealed at rest. Whatever the number of unknown
 * credentials, the memory they take is bounded, and so are the queries for keys that nobody made.
 *
 * A person is an administrator of the hub, who may do everything, or a member of it; and in each project a viewer, an
 * operator or an administrator, or nothing. What is of a project that somebody is nothing in is not there for them: the
 * answer is that of a thing that does not exist. A route says the least that its caller must be; the scope of the caller is
 * in the statement that looks the thing up. There is always an administrator of the hub who is let in.
 *
 * What is done to people, tokens and memberships, what operators do with brokers and join tokens, each join, and each copy that
 * takes a broker's place is kept in the audit,
 * in the transaction that does it. Nothing changes or removes what stands there, and a duty chains it,
 * so that whoever gets past the table's own refusal is found out.
 *
 * What one caller may ask is limited over all replicas together, by blocks that these take from one bucket in the database; what fails
 * where a credential is the body, by address.
 *
 * It may lose: an answer that was cached, which costs a query; the first administrator's invite, where the process
 * dies between making and showing it, which costs a day; with `FAIRLEAD_FIRST_BOOT=token` that token, for good. That somebody is disabled, a token revoked, or a role changed, reaches
 * the other replicas within a second, and within 30 s where the hint is lost; that of a broker's key ends the renewal at once and what was minted before within 15 minutes.
 */
@Module({
  imports: [ClusterModule, DiscoveryModule],
  controllers: [
    MeController,
    PersonalTokenController,
    InviteController,
    JoinTokenController,
    SigningKeyController,
    BrokerTokenController,
    BrokerKeyController,
    AuditController,
    UserController,
    SessionController,
    DeviceGrantController,
    WebSessionController,
    OidcController,
  ],
  providers: [
    AccessGuard,
    { provide: APP_GUARD, useExisting: AccessGuard },
    LimitGuard,
    { provide: APP_GUARD, useExisting: LimitGuard },
    RateBucketRepository,
    RateLimiter,
    AccessTokens,
    AgentTokens,
    Assertions,
    Audit,
    AuditChainRepository,
    AuditChaining,
    AuditRepository,
    AuthDuties,
    BrokerKeyRepository,
    BrokerKeyRotation,
    BrokerKeys,
    Credentials,
    DeviceGrantRepository,
    DeviceGrants,
    FirstBoot,
    InviteRepository,
    Invites,
    JoinTokenRepository,
    JoinTokens,
    MemberRepository,
    Members,
    IdentityRepository,
    OidcSignIns,
    Provider,
    Passwords,
    PeopleNews,
    PersonalTokenRepository,
    PersonalTokens,
    RequestKeyRepository,
    RequestKeys,
    {
      provide: Sealer,
      inject: [HUB_CONFIG],
      useFactory: (config: HubConfig) => new Sealer(sealKeysOf(config)),
    },
    SealedCookies,
    WebSessions,
    SessionRepository,
    SessionTokens,
    Sessions,
    SignInRepository,
    SignIns,
    SigningKeyRepository,
    SigningKeyRotation,
    SigningKeys,
    SpentAssertionRepository,
    SpentProofs,
    UserRepository,
    Users,
  ],
  exports: [
    AccessTokens,
    AgentTokens,
    Audit,
    AuditChaining,
    AuthDuties,
    BrokerKeys,
    FirstBoot,
    JoinTokens,
    Members,
    PersonalTokens,
    RateLimiter,
    RequestKeys,
    Sealer,
    SigningKeys,
    SpentProofs,
  ],
})
export class AuthModule {}
