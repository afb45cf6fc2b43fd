import { describe, expect, it } from '@jest/globals';
import {
  ENDED_STATES,
  hasEnded,
  LINK_BOUND,
  LIVE_STATES,
  stateAfter,
  STATES_AFTER,
  statesBefore,
  transition,
  type Happening,
} from './state.js';

const HAPPENINGS = Object.keys(STATES_AFTER) as Happening[];

describe('the states of a dispatch', () => {
  it.each(ENDED_STATES)('%s is never left', (state) => {
    for (const happening of HAPPENINGS) expect(transition(state, happening)).toBeUndefined();
    expect(hasEnded(state)).toBe(true);
  });

  it.each<[Happening, string[], string]>([
    ['claim', ['pending'], 'claimed'],
    ['ack', ['claimed'], 'running'],
    ['adopt', ['claimed', 'running'], 'running'],
    ['resend', ['claimed'], 'claimed'],
    ['requeue', ['claimed', 'running'], 'pending'],
    ['succeed', ['claimed', 'running'], 'succeeded'],
    ['fail', ['claimed', 'running'], 'failed'],
    ['retry', ['claimed', 'running'], 'pending'],
    ['cancel', ['pending', 'claimed', 'running'], 'cancelled'],
    ['supersede', ['pending'], 'cancelled'],
    ['lapse', ['pending', 'claimed'], 'failed'],
    ['expire', ['pending', 'claimed', 'running'], 'expired'],
    ['exhaust', ['claimed', 'running'], 'dead'],
  ])('let %s happen to what is %j, which is %s then', (happening, from, to) => {
    expect(LIVE_STATES.filter((state) => transition(state, happening) === to)).toEqual(from);
    expect([statesBefore(happening), stateAfter(happening)]).toEqual([from, to]);
  });

  it('have nothing else that may happen', () => {
    expect(HAPPENINGS).toHaveLength(13);
  });

  it('bind to one link what its contract says', () => {
    expect(LINK_BOUND).toEqual(['now_or_fail', 'on_attach']);
  });

  it('lead from pending to an ending by claim, ack and result', () => {
    const claimed = transition('pending', 'claim');
    const running = transition('claimed', 'ack');

    expect([claimed, running, transition('running', 'succeed')]).toEqual(['claimed', 'running', 'succeeded']);
  });

  it('let a result overtake its ack', () => {
    expect(transition('claimed', 'succeed')).toBe('succeeded');
  });

  it.each(['ack', 'adopt', 'resend', 'requeue', 'retry', 'succeed', 'fail', 'exhaust'] as const)(
    'do not let %s happen to what is pending',
    (happening) => {
      expect(transition('pending', happening)).toBeUndefined();
    },
  );

  it('let a caller give up whatever has not ended', () => {
    for (const state of LIVE_STATES) expect(transition(state, 'cancel')).toBe('cancelled');
  });

  it.each(['claimed', 'running'] as const)('let nothing replace what is %s', (state) => {
    expect(transition(state, 'supersede')).toBeUndefined();
  });

  it('are told to SQL as the transition function knows them', () => {
    for (const happening of HAPPENINGS) {
      const allowed = LIVE_STATES.filter((state) => transition(state, happening) !== undefined);
      expect([...statesBefore(happening)].sort()).toEqual([...allowed].sort());
      for (const state of allowed) expect(transition(state, happening)).toBe(stateAfter(happening));
    }
  });
});
