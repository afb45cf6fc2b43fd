import { describe, expect, it } from '@jest/globals';
import { PENDING_MOST } from './depths.js';
import { ADMISSIONS, explainAdmission, type ProjectCircumstances } from './project-why.js';

const NOW = new Date('2026-01-01T00:00:00Z');

function circumstances(given: Partial<ProjectCircumstances>): ProjectCircumstances {
  return {
    projectId: 'p',
    projectName: 'web',
    archivedAt: null,
    floor: { major: 1, minor: 10 },
    maxPending: 5,
    queued: 0,
    brokerId: 'b',
    brokerName: 'build-1',
    software: 'fairlead/1.9.0',
    revokedAt: null,
    depth: 0,
    attachment: 'online',
    attachmentChangedAt: NOW,
    detachedAt: null,
    isBelowFloor: false,
    presence: 'online',
    brokerSeenAt: NOW,
    now: NOW,
    ...given,
  };
}

describe('why a project takes no commands for a broker', () => {
  /** Each holds together with all that come after it, and is the one that is told. */
  const inTheWay: [string, Partial<ProjectCircumstances>, RegExp][] = [
    ['broker_revoked', { revokedAt: NOW }, /revoked/],
    ['project_archived', { archivedAt: NOW }, /archived/],
    ['attachment_revoked', { attachment: 'revoked', detachedAt: NOW }, /for ever/],
    ['not_attached', { attachment: 'offline', detachedAt: NOW }, /not attached to web/],
    [
      'read_only',
      { isBelowFloor: true },
      /fairlead\/1\.9\.0, and web asks for 1\.10: it is read-only there\. It finishes/,
    ],
    ['backlog', { depth: PENDING_MOST }, /10000 commands wait/],
    ['quota', { queued: 5 }, /5 live commands, and may have 5/],
  ];

  it.each(inTheWay.map((each, place) => [...each, place] as const))('is %s', (cause, facts, told, place) => {
    const later = Object.assign(
      {},
      ...inTheWay
        .slice(place)
        .reverse()
        .map(([, more]) => more),
    );

    expect(explainAdmission(circumstances({ ...later, ...facts }))).toMatchObject({
      cause,
      explanation: expect.stringMatching(told),
      unblocks: expect.stringMatching(/\w/),
    });
  });

  it('is nothing where nothing is in the way, also while the broker is only away', () => {
    for (const presence of ['online', 'degraded'])
      expect(explainAdmission(circumstances({ presence }))).toEqual({
        cause: 'admitted',
        explanation: 'Nothing is in the way of new commands.',
        unblocks: 'Nothing is needed.',
      });
    expect(explainAdmission(circumstances({ attachment: 'offline', presence: 'offline' }))).toMatchObject({
      cause: 'admitted',
      explanation: expect.stringMatching(/wait until the broker connects/),
    });
    expect(ADMISSIONS).toHaveLength(inTheWay.length + 1);
  });

  it('is that it never was attached, too', () => {
    expect(explainAdmission(circumstances({ attachment: null })).cause).toBe('not_attached');
  });

  it('names no version where the floor went away meanwhile', () => {
    const { explanation } = explainAdmission(circumstances({ isBelowFloor: true, floor: null }));

    expect(explanation).toMatch(/web asks for more: it is read-only/);
  });
});
