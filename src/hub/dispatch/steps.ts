import { Injectable } from '@nestjs/common';
import type { DispatchItem, ResultItem } from '../../protocol/frame.js';
import type { Sent } from './sent.js';
import type { Draft } from './draft.js';
import type { Adopted } from './inventory.repository.js';
import type { OutRow } from './outstanding.js';
import type { Ending, Settled } from './settle.repository.js';
import type { Lane } from './state.js';

/** A broker's word that came after the end. */
export type LateResult = { id: string; attempt: number; op: string; lane: Lane };

/** Each step that this replica made or took note of, and what is known of the commands that made it. */
export type StepRows = {
  /** Committed. */
  accepted: Draft;
  claimed: Sent;
  /** On the wire, for the first time or again. */
  sent: DispatchItem;
  /** The first word of the broker that it holds the attempt. */
  acked: Sent;
  /** The broker's word on how it ended, as it came in: the row decides. */
  answered: ResultItem;
  /** Out with a broker whose link to this replica is over: nobody holds it until the broker's next inventory. */
  released: OutRow;
  /** The broker's inventory says that it goes on. */
  adopted: Adopted;
  /** The broker's inventory says that it is to be done again. */
  put_back: Adopted;
  /** The broker says that it failed in a way that may pass. */
  retried: Settled;
  cancel_asked: Ending;
  /** Committed. */
  ended: Ending;
  late: LateResult;
};

export type Step = keyof StepRows;

/** Statements that carry many commands at once. */
export const BATCHES = ['insert', 'claim', 'settle', 'ack'] as const;
export type BatchName = (typeof BATCHES)[number];

type Takers = { readonly [S in Step]?: (rows: readonly StepRows[S][]) => void };

export type StepObserver = Takers & {
  /** A statement was done; told after the turn. */
  readonly batch?: (name: BatchName, size: number) => void;
  /** A claim begins; one is in flight at a time. */
  readonly claiming?: () => void;
  /** One round of claiming and sending took so long; told after the turn. */
  readonly reconciled?: (ms: number) => void;
};

/**
 * Tells how commands come along, for those who count, measure and log. What happens is told once a batch, after it
 * is done; an observer must only note it. It may be lost with the process: the trail is the record.
 *
 * Steps are told at once, since some observers take the time. Figures that bear their own, of batches and rounds, are told when
 * the turn of the event loop is over: what leaves with it is not to wait for them.
 */
@Injectable()
export class Steps {
  private readonly observers: StepObserver[] = [];
  /** What is to be told of this turn, in order. */
  private readonly figures: ((observer: StepObserver) => void)[] = [];

  observe(observer: StepObserver): void {
    this.observers.push(observer);
  }

  tell<S extends Step>(step: S, rows: readonly StepRows[S][]): void {
    if (rows.length === 0) return;
    for (const takers of this.observers as readonly Takers[]) takers[step]?.(rows);
  }

  batch(name: BatchName, size: number): void {
    this.tellAfterTurn((observer) => observer.batch?.(name, size));
  }

  claiming(): void {
    for (const observer of this.observers) observer.claiming?.();
  }

  reconciled(ms: number): void {
    this.tellAfterTurn((observer) => observer.reconciled?.(ms));
  }

  private tellAfterTurn(figure: (observer: StepObserver) => void): void {
    this.figures.push(figure);
    if (this.figures.length > 1) return;
    setImmediate(() => {
      for (const each of this.figures.splice(0)) this.observers.forEach(each);
    });
  }
}
