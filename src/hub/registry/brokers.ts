import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { isUuid } from '../../protocol/read.js';
import { AccessTokens } from '../auth/access-tokens.js';
import type { Origin } from '../auth/actor.js';
import { Audit } from '../auth/audit.js';
import { BrokerKeys } from '../auth/broker-keys.js';
import { thumbprintOf } from '../auth/ed25519.js';
import { JoinTokens } from '../auth/join-tokens.js';
import type { Scope } from '../auth/scope.js';
import { Hub } from '../cluster/hub.js';
import { Database } from '../database/database.js';
import { NAME } from '../http/name.js';
import { NotFound } from '../problems/coded.error.js';
import { BrokerRepository, type BrokerFilter, type BrokerRow } from './broker.repository.js';
import { Rejoins } from './rejoins.js';
import { versionOfSoftware } from './version-floor.js';

export type Joining = {
  token: string;
  publicKey: string;
  name: string;
  fingerprint: string;
  software: string;
  labels: Record<string, string>;
};

export type Joined = {
  brokerId: string;
  name: string;
  hubId: string;
  accessToken: string;
  expiresInS: number;
};

/** The brokers that have joined the hub. */
@Injectable()
export class Brokers {
  constructor(
    private readonly database: Database,
    private readonly repository: BrokerRepository,
    private readonly joinTokens: JoinTokens,
    private readonly keys: BrokerKeys,
    private readonly accessTokens: AccessTokens,
    private readonly hub: Hub,
    private readonly audit: Audit,
    private readonly rejoins: Rejoins,
  ) {}

  /**
   * Registers a broker with its key, for a seat of a join token: all of it or nothing. What the token gives of
   * labels wins over what the broker says of itself.
   *
   * @param proof of the key; whoever joins again with it gets the broker that the key has
   * @throws CodedError `join_token_invalid`, BrokerNameTaken, ClockSkew, CredentialInvalid
   */
  async join(joining: Joining, origin: Origin, proof?: string): Promise<Joined> {
    const again = proof === undefined ? undefined : await this.rejoins.find(joining, proof);
    if (again === undefined) return this.joinAnew(joining, origin);
    const { brokerId, name, joinTokenId } = again;
    const { software, fingerprint, publicKey } = joining;
    const actor = { kind: 'broker', id: brokerId, name, credentialId: joinTokenId, origin } as const;
    const subject = { kind: 'broker', id: brokerId, name } as const;
    const detail = { software, fingerprint, again: true };
    await this.database.transaction((run) =>
      this.audit.done(run, { act: 'broker.join', actor, subject, detail }),
    );
    return this.joined(brokerId, name, publicKey);
  }

  private async joinAnew(
    { token, publicKey, name, fingerprint, software, labels }: Joining,
    origin: Origin,
  ): Promise<Joined> {
    const brokerId = uuidv7();
    await this.database.transaction(async (run) => {
      const { joinTokenId, labels: givenLabels, isShared } = await this.joinTokens.take(run, token);
      const version = versionOfSoftware(software);
      await this.repository.create(run, {
        id: brokerId,
        name,
        fingerprint,
        labels,
        givenLabels,
        software,
        version,
        isShared,
      });
      await this.keys.store(run, brokerId, publicKey);
      const actor = { kind: 'broker', id: brokerId, name, credentialId: joinTokenId, origin } as const;
      const subject = { kind: 'broker', id: brokerId, name } as const;
      await this.audit.done(run, { act: 'broker.join', actor, subject, detail: { software, fingerprint } });
    });
    return this.joined(brokerId, name, publicKey);
  }

  private async joined(brokerId: string, name: string, publicKey: string): Promise<Joined> {
    const { token: accessToken, expiresInS } = await this.accessTokens.mint(
      brokerId,
      thumbprintOf(publicKey),
    );
    return { brokerId, name, hubId: await this.hub.urn(), accessToken, expiresInS };
  }

  /** Newest first, those that joined before the given one. */
  async list(
    before: string | null,
    filter: BrokerFilter,
    limit: number,
    { sees }: Scope,
  ): Promise<BrokerRow[]> {
    return this.repository.list(before, filter, limit, sees);
  }

  /** The id of a broker that a request sees. @throws NotFound for one that it does not */
  async within({ sees }: Scope, idOrName: string): Promise<string> {
    // Who sees all is told by the statement that comes next whether it is there.
    if (sees === null) return this.idOf(idOrName);
    const named = isUuid(idOrName) ? { id: idOrName } : NAME.test(idOrName) ? { name: idOrName } : undefined;
    const id = named && (await this.repository.see(named, sees));
    if (id === undefined) throw new NotFound('broker');
    return id;
  }

  /** @throws NotFound */
  async get(idOrName: string): Promise<BrokerRow> {
    const row = await this.repository.get(await this.idOf(idOrName));
    if (row === undefined) throw new NotFound('broker');
    return row;
  }

  /** The id of a broker that is named by it, or by its name. @throws NotFound for a name that nobody has */
  async idOf(idOrName: string): Promise<string> {
    if (isUuid(idOrName)) return idOrName;
    const id = NAME.test(idOrName) ? await this.repository.idOfName(idOrName) : undefined;
    if (id === undefined) throw new NotFound('broker');
    return id;
  }
}
