import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { isUuid } from '../../protocol/read.js';
import { Database, type Run } from '../database/database.js';
import { NAME } from '../http/name.js';
import { NotFound } from '../problems/coded.error.js';
import type { Actor } from './actor.js';
import type { Act, AuditEntry } from './audit-entry.js';
import { Audit } from './audit.js';
import { LastAdministrator } from './auth.errors.js';
import { PeopleNews } from './people-news.js';
import type { Role } from './principal.js';
import type { Idempotency } from './request-key.js';
import { RequestKeys } from './request-keys.js';
import { UserRepository, type UserChange, type UserRow } from './user.repository.js';

/**
 * The people of the hub, and what each is in it as a whole. Nobody is ever removed: what somebody did stays theirs. Each
 * change is committed with its row in the audit, and then told to all replicas.
 */
@Injectable()
export class Users {
  constructor(
    private readonly repository: UserRepository,
    private readonly database: Database,
    private readonly audit: Audit,
    private readonly news: PeopleNews,
    private readonly requestKeys: RequestKeys,
  ) {}

  /** A repeat of the request gives the user of the first. @throws UserNameTaken, EmailTaken, IdempotencyKeyReused */
  async create(
    user: Pick<UserRow, 'name' | 'email' | 'role'>,
    actor: Actor,
    idempotency: Idempotency | undefined,
  ): Promise<UserRow> {
    const id = uuidv7();
    const entry = entryOf('user.create', { id, name: user.name }, actor, {
      role: user.role,
      email: user.email,
    });
    return this.audit.orRefused(entry, async () => {
      const made = await this.database.transaction(async (run) => {
        const earlier = idempotency && (await this.requestKeys.repeatOf(run, idempotency, id));
        if (earlier !== undefined) return earlier;
        const row = await this.repository.create(run, { id, ...user });
        await this.audit.done(run, entry);
        return row;
      });
      return typeof made === 'string' ? this.get(made) : made;
    });
  }

  /** Newest first, those made before the given one. */
  async list(
    before: string | null,
    filter: { role: Role | null; withDisabled: boolean },
    limit: number,
  ): Promise<UserRow[]> {
    return this.repository.list(before, filter, limit);
  }

  /** @throws NotFound */
  async get(idOrName: string): Promise<UserRow> {
    const row = await this.repository.get(await this.idOf(idOrName));
    if (row === undefined) throw new NotFound('user');
    return row;
  }

  /** The id of a user that is named by it, or by its name. @throws NotFound for a name that nobody has */
  async idOf(idOrName: string): Promise<string> {
    if (isUuid(idOrName)) return idOrName;
    const id = NAME.test(idOrName) ? await this.repository.idOfName(idOrName) : undefined;
    if (id === undefined) throw new NotFound('user');
    return id;
  }

  /** Everywhere within a second. @throws NotFound, LastAdministrator, EmailTaken: nothing was changed */
  async update(idOrName: string, change: UserChange, actor: Actor): Promise<UserRow> {
    const { id, name } = await this.get(idOrName);
    const entry = entryOf('user.update', { id, name }, actor, { ...change });
    const row = await this.audit.orRefused(entry, () =>
      this.database.transaction(async (run) => {
        if (change.role !== undefined && change.role !== 'admin') await this.spareLast(run, id);
        const changed = await this.repository.update(run, id, change);
        if (changed === undefined) throw new NotFound('user');
        await this.audit.done(run, entry);
        return changed;
      }),
    );
    await this.news.tell(id);
    return row;
  }

  /**
   * Lets somebody in no more: whatever they hold is good for nothing, on every replica within a second. Safe to repeat.
   *
   * @throws NotFound, LastAdministrator: nothing was changed
   */
  async disable(idOrName: string, actor: Actor): Promise<UserRow> {
    return this.switchTo('user.disable', idOrName, actor, async (run, id) => {
      await this.spareLast(run, id);
      return this.repository.disable(run, id);
    });
  }

  /** Lets somebody in again, with whatever is still good of what they hold. Safe to repeat. @throws NotFound */
  async enable(idOrName: string, actor: Actor): Promise<UserRow> {
    return this.switchTo('user.enable', idOrName, actor, (run, id) => this.repository.enable(run, id));
  }

  private async switchTo(
    act: Act,
    idOrName: string,
    actor: Actor,
    change: (run: Run, id: string) => Promise<boolean>,
  ): Promise<UserRow> {
    const { id, name } = await this.get(idOrName);
    const entry = entryOf(act, { id, name }, actor);
    const isChanged = await this.audit.orRefused(entry, () =>
      this.database.transaction(async (run) => {
        const changed = await change(run, id);
        if (changed) await this.audit.done(run, entry);
        return changed;
      }),
    );
    if (isChanged) await this.news.tell(id);
    else await this.audit.unchanged(entry);
    return this.get(id);
  }

  /** @throws LastAdministrator where the user is the only one that could let anybody in */
  private async spareLast(run: Run, id: string): Promise<void> {
    const administrators = await this.repository.holdAdministrators(run);
    if (administrators.length === 1 && administrators[0] === id) throw new LastAdministrator();
  }
}

function entryOf(
  act: Act,
  { id, name }: { id: string; name: string },
  actor: Actor,
  detail: object = {},
): AuditEntry {
  return { act, actor, subject: { kind: 'user', id, name }, detail };
}
