import { describe, expect, it } from '@jest/globals';
import { PHASES, phasesBefore, stepOf } from './phase.js';

describe('the phases of an agent', () => {
  it.each(['starting', 'running'] as const)('refuse a start while it is %s', (phase) => {
    expect(stepOf('start', phase, true)).toBe('start_in_progress');
  });

  it.each(['created', 'stopping', 'stopped', 'failed'] as const)(
    'allow a start, as a new run, after %s',
    (phase) => {
      expect(stepOf('start', phase, true)).toEqual({ phase: 'starting', wanted: 'running', newRun: true });
    },
  );

  it('refuse a stop of what was never started', () => {
    expect(stepOf('stop', 'created', false)).toBe('agent_not_started');
  });

  it('leave an ended agent as it is when it is stopped again', () => {
    expect(stepOf('stop', 'failed', true)).toMatchObject({ phase: 'failed', wanted: 'stopped' });
  });

  it('allow nothing but a repeated delete while it is being deleted', () => {
    expect(stepOf('start', 'deleting', true)).toBe('agent_deleted');
    expect(stepOf('restart', 'deleting', true)).toBe('agent_deleted');
    expect(stepOf('delete', 'deleting', true)).toMatchObject({ phase: 'deleting' });
  });

  it('are never moved backwards by a report', () => {
    for (const reported of ['starting', 'running', 'stopping', 'stopped', 'failed'] as const) {
      for (const before of phasesBefore(reported)) {
        expect(PHASES.indexOf(before)).toBeLessThan(PHASES.indexOf(reported));
      }
    }
  });

  it.each(['stopped', 'failed', 'deleting', 'deleted'] as const)(
    'are not changed by any report once %s',
    (phase) => {
      for (const reported of ['starting', 'running', 'stopping', 'stopped', 'failed'] as const) {
        expect(phasesBefore(reported)).not.toContain(phase);
      }
    },
  );
});
