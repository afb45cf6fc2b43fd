import { Injectable } from '@nestjs/common';
import { RequestKeys } from '../auth/request-keys.js';
import type { Hint } from '../cluster/hint.js';
import { Replica, ReplicaFenced } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { Database, type Run } from '../database/database.js';
import { DatabaseUnavailable, isLockTimeout } from '../database/database.errors.js';
import { isFoundInDoubt } from '../database/in-doubt.js';
import { Group } from '../lifecycle/group.js';
import { Contracts } from './contracts.js';
import { Depths, PENDING_MOST } from './depths.js';
import {
  BacklogFull,
  BrokerNotFound,
  BrokerOffline,
  BrokerUpgradeRequired,
  OutcomeUnknown,
} from './dispatch.errors.js';
import type { Draft } from './draft.js';
import { commandCopy, isPlain } from './row-copy.js';
import { refusalOfProject } from './project.errors.js';
import { Quotas } from './quotas.js';
import { HandOff, type Offer } from './hand-off.js';
import { Intake } from './intake.js';
import { SealedArgs } from './sealed-args.js';
import { InsertRepository, type Inserted } from './insert.repository.js';
import { Steps } from './steps.js';

/** A promise where the rows must tell. */
type Outcome = Inserted | Promise<Inserted> | Error;

const BATCH = 512;
/** A batch as small as this is halved, down to the other. */
const HALVED_UP_TO = 96;
const HALVED_DOWN_TO = 32;
/**
 * Between the first statement of such a transaction and its last. Readers of a broker's rows hold a `seq` for seen ten seconds after
 * they have met a higher one (`Reading`): what becomes visible later waits for a read of all.
 */
const WITHIN_MOST_MS = 5_000;
/** What one statement of a transaction stores: all arguments of a statement are held at once, in up to 256 KiB each. */
const WITHIN_BATCH = 64;
/** A wait for a lock takes 2 s: a batch is not to take much longer than some of them. */
const LOCK_WAITS_MOST = 3;

/** What the statement that stored a command said of its row. */
export type Stored = { draft: Draft; seq: number; brokerName: string | null; createdAt: Date };

/** The id under which a request is on record: its own, or that of the same request's first arrival. */
export type Accepted = { id: string; isRepeat: boolean; stored: Stored | null };

/**
 * Stores commands. What it resolves is committed; wakes go out after that.
 *
 * Commands that arrive together share one statement. A row that the database refuses, or that waits for a lock in vain, never
 * fails its neighbours: then each is stored alone, in order.
 */
@Injectable()
export class Submission {
  private readonly inserts = new Group<Draft, Inserted>((drafts) => this.insert(drafts), batchOf);
  private readonly depths = new Depths();
  private readonly quotas = new Quotas();

  constructor(
    private readonly repository: InsertRepository,
    private readonly replica: Replica,
    private readonly wakes: Wakes,
    private readonly contracts: Contracts,
    private readonly sealed: SealedArgs,
    private readonly steps: Steps,
    private readonly handOff: HandOff,
    private readonly keys: RequestKeys,
    private readonly database: Database,
    private readonly intake: Intake,
  ) {}

  /**
   * @throws BrokerNotFound, BrokerOffline, BacklogFull, BrokerUpgradeRequired, IdempotencyKeyReused, Overloaded,
   *   ReplicaFenced, and as refusalOfProject: nothing was stored.
   *   DatabaseUnavailable: nothing was stored. OutcomeUnknown: it may have been.
   */
  async submit(draft: Draft): Promise<Accepted> {
    this.replica.assertMayAct();
    const sealed = this.seal(draft);
    const inserted = await this.intake.during(draft, () => this.inserts.add(sealed));
    if (inserted.seq === null) return this.refused(draft, inserted);
    const { seq, brokerName = null, createdAt } = inserted;
    const isKnown = createdAt !== undefined && createdAt !== null;
    const stored = isKnown ? { draft: sealed, seq, brokerName, createdAt } : null;
    return { id: draft.id, isRepeat: false, stored };
  }

  /**
   * Stores commands in the caller's transaction, in order, and each for itself: that one is refused says nothing of the others.
   *
   * @returns the id under which each is on record, or why it was refused as `submit` throws it; and what to call once that
   *   transaction is committed
   * @throws DatabaseUnavailable: the transaction must end, also where it takes longer than 5 s
   */
  async submitWithin(
    run: Run,
    drafts: readonly Draft[],
  ): Promise<{ outcomes: (string | Error)[]; committed: () => void }> {
    this.replica.assertMayAct();
    const sealed = drafts.map((draft) => this.seal(draft));
    const inserted: Inserted[] = [];
    const begunAt = performance.now();
    for (let from = 0; from < sealed.length; from += WITHIN_BATCH) {
      inserted.push(...(await this.store(sealed.slice(from, from + WITHIN_BATCH), undefined, run)));
      if (performance.now() - begunAt > WITHIN_MOST_MS)
        throw new DatabaseUnavailable(new Error('what is stored together took too long'));
    }
    const outcomes = await this.outcomesOf(run, drafts, inserted);
    const committed = () => {
      this.accepted(sealed, inserted);
      void this.contracts.judge(sealed.filter((_draft, place) => inserted[place]?.seq != null));
    };
    return { outcomes, committed };
  }

  private async outcomesOf(
    run: Run,
    drafts: readonly Draft[],
    inserted: readonly Inserted[],
  ): Promise<(string | Error)[]> {
    // As in `refused`: what would be refused now may have been accepted before.
    const keys = drafts.flatMap(({ idempotency }, place) =>
      idempotency === null || inserted[place]?.seq != null ? [] : [idempotency],
    );
    const found = await this.keys.winnersOf(run, keys);
    const winners = new Map(keys.map((idempotency, place) => [idempotency, found[place]]));
    return drafts.map((draft, place) => {
      const row = inserted[place];
      if (row !== undefined && row.seq !== null) return draft.id;
      return (draft.idempotency && winners.get(draft.idempotency)) ?? refusalOf(draft, row);
    });
  }

  private async refused(draft: Draft, inserted: Inserted): Promise<Accepted> {
    // What would be refused now may have been accepted before.
    const winner = draft.idempotency === null ? undefined : await this.keys.winnerOf(draft.idempotency);
    if (winner === undefined) throw refusalOf(draft, inserted);
    return { id: winner, isRepeat: true, stored: null };
  }

  private async insert(drafts: Draft[]): Promise<Outcome[]> {
    // They may have waited for those before them, and longer than their callers did.
    if (!this.replica.mayAct) return drafts.map(() => new ReplicaFenced());
    const offer = this.handOff.offer(drafts);
    try {
      const inserted = await this.store(drafts, offer);
      this.steps.batch('insert', drafts.length);
      this.accepted(drafts, inserted);
      this.handOff.took(offer, drafts, inserted);
      void this.contracts.judge(drafts);
      return inserted;
    } catch (error) {
      if (error instanceof DatabaseUnavailable && error.statement !== 'no_effect') {
        const looked = this.lookUpBeside(drafts, error);
        // While the server may still be at it, nothing else of their keys may go out.
        void Promise.allSettled(looked).then(() => offer.withdraw());
        return looked;
      }
      offer.withdraw();
      const isOfAll = error instanceof DatabaseUnavailable && !isLockTimeout(error);
      if (isOfAll || drafts.length === 1) return drafts.map(() => error as Error);
      return this.insertOneByOne(drafts);
    }
  }

  private seal(draft: Draft): Draft {
    return { ...draft, args: this.sealed.seal(draft.op, draft.id, draft.args) };
  }

  private async store(drafts: readonly Draft[], offer?: Offer, run?: Run): Promise<Inserted[]> {
    const counted = this.depths.toCount(drafts.map(({ brokerId }) => brokerId));
    const quotas = this.quotas.estimates(drafts);
    const inserted = await this.repository.insert(drafts, this.replica.id, counted, quotas, offer, run);
    const createdAt = inserted[0]?.createdAt ?? null;
    for (const row of inserted) row.createdAt = createdAt;
    if (quotas.projectIds.length > 0) this.quotas.took(drafts, inserted);
    this.depths.took(
      inserted.map(({ depth, seq }, index) => ({
        brokerId: drafts[index]?.brokerId ?? '',
        depth,
        isStored: seq !== null,
      })),
    );
    return inserted;
  }

  /**
   * Where one of them waited in vain for what somebody else holds, the others do not wait for the same again: not those of its
   * project, and after some such waits none.
   */
  private async insertOneByOne(drafts: Draft[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    const held: { projectId: string | null; error: Error }[] = [];
    for (const draft of drafts) {
      const { projectId } = draft;
      const known = held.find((each) => projectId !== null && each.projectId === projectId);
      const last = held.length < LOCK_WAITS_MOST ? known : held.at(-1);
      const [outcome] = last === undefined ? await this.insert([draft]) : [last.error];
      if (outcome === undefined) throw new Error('an insert gave no outcome');
      outcomes.push(outcome);
      if (last === undefined && isLockTimeout(outcome)) held.push({ projectId, error: outcome });
    }
    return outcomes;
  }

  /** Others are not to wait for what may take seconds. */
  private lookUpBeside(drafts: Draft[], cause: DatabaseUnavailable): Promise<Inserted>[] {
    const looked = this.lookUp(drafts, cause);
    return drafts.map(async ({ id }, place) => {
      const outcome = (await looked)[place] ?? new OutcomeUnknown(id, cause);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    });
  }

  /**
   * The connection broke under the commit: only the rows can say whether it happened. It is never done again. That
   * a row is not there says nothing, since the server may still be at it.
   */
  private async lookUp(drafts: Draft[], cause: DatabaseUnavailable): Promise<(Inserted | Error)[]> {
    const ids = drafts.map(({ id }) => id);
    let rows: Inserted[] = [];
    // They were stored together or not at all, but for those that were refused.
    const isFound = await isFoundInDoubt(this.database.run, async () => {
      rows = await this.repository.stored(ids);
      return rows.length > 0;
    });
    const found = new Map(isFound ? rows.map((row) => [row.id, row]) : []);
    const outcomes = ids.map((id) => found.get(id) ?? new OutcomeUnknown(id, cause));
    this.accepted(drafts, outcomes);
    return outcomes;
  }

  /** Wakes each owner once for all that came together: where hints go one by one, the first is read for alone. */
  private accepted(drafts: readonly Draft[], outcomes: readonly (Inserted | Error)[]): void {
    const stored: Draft[] = [];
    const hints = new Map<string, Pick<Hint, 'brokers' | 'commands'>>();
    for (const [place, draft] of drafts.entries()) {
      const outcome = outcomes[place];
      if (outcome === undefined || outcome instanceof Error || outcome.seq === null) continue;
      stored.push(draft);
      const { seq, owner, isHanded = false, claimEpoch = null, createdAt } = outcome;
      if (owner === null || (isHanded && owner === this.replica.id)) continue;
      const { brokers, commands } = hints.get(owner) ?? {
        brokers: new Map<string, number>(),
        commands: new Map<string, unknown>(),
      };
      hints.set(owner, { brokers, commands });
      const { id, brokerId } = draft;
      // Of a row that was looked up later it is not known whether it was stored as claimed.
      const isKnown = createdAt !== undefined && createdAt !== null;
      if (isKnown && isPlain(draft)) commands.set(id, commandCopy(draft, seq, isHanded ? claimEpoch : null));
      else brokers.set(brokerId, Math.min(seq, brokers.get(brokerId) ?? Infinity));
    }
    for (const [owner, hint] of hints) this.wakes.tell(owner, hint);
    this.steps.tell('accepted', stored);
  }
}

/**
 * Commands that are stored together are claimed, sent and settled together, and then each of these waits for the one
 * before. In two halves one is stored while the other is claimed; large batches gain nothing by it, since the database is
 * busy all the time.
 */
function batchOf(waiting: number): number {
  return waiting > HALVED_UP_TO ? BATCH : Math.max(HALVED_DOWN_TO, Math.ceil(waiting / 2));
}

function refusalOf(draft: Draft, inserted: Inserted | undefined): Error {
  switch (inserted?.refusal) {
    case 'broker_unknown':
      return new BrokerNotFound();
    case 'incapable':
      return new BrokerUpgradeRequired(draft.capability ?? 'unknown');
    case 'offline':
      return new BrokerOffline();
    case 'full':
      return new BacklogFull(inserted.depth ?? PENDING_MOST);
    case 'project_unknown':
    case 'project_archived':
    case 'attachment_revoked':
    case 'unattached':
    case 'below_floor':
    case 'over_quota':
      return refusalOfProject(inserted.refusal, inserted);
    case null:
    case undefined:
      return new Error('a dispatch was not stored for a reason that is not known');
  }
}
