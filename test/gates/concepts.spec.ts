import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { PENDING_MOST } from '../../src/hub/dispatch/depths.js';
import { BATCH_MOST } from '../../src/hub/dispatch/dto/batch.dto.js';
import { CANCEL_OUTCOMES } from '../../src/hub/dispatch/dto/dispatch.dto.js';
import { CONTRACTS, ENDED_STATES, LANES, LIVE_STATES } from '../../src/hub/dispatch/state.js';
import { REDRIVABLE } from '../../src/hub/dispatch/dto/redrive.dto.js';
import { WAIT_MOST_S } from '../../src/hub/http/prefer.js';
import { RECEIVED_WITHIN_MS } from '../../src/hub/http/unread.js';
import { ATTACHMENT_STATES } from '../../src/hub/registry/attachment-state.js';
import { SERVICE_STATES } from '../../src/hub/registry/service-state.js';
import { MAX_PENDING } from '../../src/hub/registry/projects.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { OPS, OPS_THAT_ASK } from '../../src/protocol/op.js';

describe('docs/concepts.md', () => {
  const text = readFileSync('docs/concepts.md', 'utf8');

  /** The rows of the table whose head begins with this word, cell by cell. */
  function table(head: string): string[][] {
    const [, rows = ''] =
      new RegExp(`^\\| ${head} +\\|.*\\n\\|[- |]+\\|\\n((?:\\|.*\\n)+)`, 'm').exec(text) ?? [];
    return rows
      .trim()
      .split('\n')
      .map((row) =>
        row
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
  }

  const words = (head: string) => table(head).map(([word = '']) => word.replaceAll('`', ''));

  it('knows every op: whether it may be repeated, how long it holds its key, what of it is sealed, and how it is waited for', () => {
    const told = table('op').map(([op, , ...promises]) => [op, ...promises]);

    const wanted = Object.entries(OPS).map(([op, { repeatable, holds, secrets, wait }]) => [
      `\`${op}\``,
      repeatable ? 'yes' : 'no',
      `its ${holds}`,
      secrets.map((path) => `\`${path}\``).join(', ') || '-',
      wait === 'rolling' ? 'while something is heard of it' : 'as asked',
    ]);
    expect(told).toEqual(wanted);
  });

  it('knows every state, contract and outcome of a cancel, and no other', () => {
    expect(words('state')).toEqual([...LIVE_STATES, ...ENDED_STATES]);
    expect(words('contract')).toEqual([...CONTRACTS]);
    expect(['cancelling', ...words('outcome')]).toEqual([...CANCEL_OUTCOMES]);
  });

  it('knows every state of an attachment, and what a broker that is read-only may still be asked', () => {
    const [, asked = ''] =
      /but for those that only ask for data:\s([^.]+\.[^.]+\.[^.]+\.[^.]+)\. /.exec(text) ?? [];

    expect(words('an attachment is')).toEqual([...ATTACHMENT_STATES]);
    expect([...asked.matchAll(/`([^`]+)`/g)].map(([, op]) => op)).toEqual([...OPS_THAT_ASK]);
  });

  it('knows every state of service of a broker', () => {
    expect(words('a broker is')).toEqual([...SERVICE_STATES]);
  });

  it.each([...LIVE_STATES, ...ENDED_STATES])('draws the state %s', (state) => {
    const [, drawn = ''] = /## States of a dispatch\n\n```\n([^`]+)```/.exec(text) ?? [];

    expect(drawn).toMatch(new RegExp(`\\b${state}\\b`));
  });

  it.each(LANES)('knows the lane %s', (lane) => {
    expect(text).toContain(`\`${lane}\``);
  });

  it('names what can be done again', () => {
    const [, named = ''] = /\*\*Doing it again\.\*\* What is ([^.]+) can be redriven/.exec(text) ?? [];

    expect([...named.matchAll(/`(\w+)`/g)].map(([, state]) => state)).toEqual([...REDRIVABLE]);
  });

  it.each([
    ['commands that wait for a broker', PENDING_MOST.toLocaleString('en')],
    [
      'live commands of a project',
      `${MAX_PENDING.default.toLocaleString('en')}, or its quota of up to ${MAX_PENDING.most.toLocaleString('en')};`,
    ],
    ['commands of a batch', BATCH_MOST.toLocaleString('en')],
    ['arguments of a command', `${LIMITS.argsBytes / 1024} KiB`],
    ['result of a command', `${LIMITS.resultBytes / 1024} KiB`],
    ['frame of the control channel', `${LIMITS.frameBytes / 1024 / 1024} MiB`],
    ['note on the progress of a command', `${LIMITS.progressNoteLength} characters`],
    ['time in which a request comes whole', `${RECEIVED_WITHIN_MS / 1000} s;`],
    ['time that an answer is held', `${WAIT_MOST_S} s`],
    ['unacknowledged commands a broker', `${LIMITS.windowDefault}, `],
    ['labels of a broker', `${LIMITS.labels}, of ${LIMITS.labelLength} `],
  ])('has the cap on %s: %s', (what, most) => {
    const [, told] = table('what').find(([word]) => word === what) ?? [];

    expect(told).toMatch(new RegExp(`^${most}`));
  });
});
