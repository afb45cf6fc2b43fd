import type { Way } from './gate.js';

/** A moment in the life of a dispatch, and what keeps the dispatch in it. */
export type Boundary = {
  /** Goes on from what the fault is: "the owner is killed ...". */
  when: string;
  /**
   * What is asked for. A start is over at once; a restart goes on until the run before it has ended, which is when
   * the test lets it.
   */
  verb: 'start' | 'restart';
  /** A frame of the broker's link, or the answer to the caller, that gets no further. */
  hold?: { at: 'link' | 'answer'; way: Way; mark: string };
  /** Where its row stands; null while there is none. */
  state: 'pending' | 'claimed' | 'running' | 'succeeded' | null;
  /** Runs that it has begun. */
  effects: 0 | 1;
  /** What the inventory on the next link makes of it, if this link is lost now. */
  judged?: 'never_begun' | 'adopted';
};

const frame = (type: string) => `"t":"${type}"`;

/** In the order of a dispatch's life. */
export const BOUNDARIES: readonly Boundary[] = [
  // Its transaction waits for the agent's row, which the test has locked.
  { when: 'before the command is accepted', verb: 'start', state: null, effects: 0 },
  {
    // Nothing is claimed for a broker before its inventory is told.
    when: 'before the command is claimed',
    verb: 'start',
    hold: { at: 'link', way: 'in', mark: frame('inventory') },
    state: 'pending',
    effects: 0,
  },
  {
    when: 'while the command is on the wire',
    verb: 'start',
    hold: { at: 'link', way: 'out', mark: frame('dispatch') },
    state: 'claimed',
    effects: 0,
    judged: 'never_begun',
  },
  {
    when: 'when the command is in the journal and its ack on the wire',
    verb: 'restart',
    hold: { at: 'link', way: 'in', mark: frame('ack') },
    state: 'claimed',
    effects: 0,
    judged: 'adopted',
  },
  { when: 'while the command runs', verb: 'restart', state: 'running', effects: 0, judged: 'adopted' },
  {
    when: 'when the command is done and its result on the wire',
    verb: 'start',
    hold: { at: 'link', way: 'in', mark: frame('result') },
    state: 'running',
    effects: 1,
    judged: 'adopted',
  },
  {
    when: 'when the command has ended and its confirm is on the wire',
    verb: 'start',
    hold: { at: 'link', way: 'out', mark: frame('confirm') },
    state: 'succeeded',
    effects: 1,
  },
  {
    when: 'when the command has ended and the answer to its caller is on the wire',
    verb: 'start',
    hold: { at: 'answer', way: 'out', mark: 'HTTP/1.1 200' },
    state: 'succeeded',
    effects: 1,
  },
];
