import { describe, expect, it } from '@jest/globals';
import type { BrokerFrame, CapabilitiesAck, Hello, Welcome } from '../../protocol/frame.js';
import { Announcement } from './announcement.js';

/** A link that was welcomed after a hello with these capabilities. */
function link(capabilitiesRevision: number, capabilities: readonly string[]) {
  const sent: BrokerFrame[] = [];
  const hello = { capabilities } as Hello;
  const welcome = { capabilitiesRevision } as Welcome;
  const send = (frame: BrokerFrame) => sent.push(frame) > 0;
  return { isOpen: true, sent, send, hello, welcome };
}

const ack = (revision: number, stored = revision, code: string | null = null): CapabilitiesAck => ({
  t: 'capabilities_ack',
  revision,
  stored,
  error: code === null ? null : { code, message: '' },
});

const frame = (revision: number, ...capabilities: string[]) => ({
  t: 'capabilities',
  revision,
  capabilities,
});

describe('what a broker can do', () => {
  function announced(hello: string[], revision = 4) {
    const names = [...hello];
    const announcement = new Announcement(() => names);
    const on = link(revision, hello);
    announcement.welcomed(on);
    return { announcement, names, on };
  }

  it('is not told again where the hello has told it', () => {
    const { announcement, on } = announced(['a']);

    announcement.tell();

    expect(on.sent).toEqual([]);
  });

  it('is told as a whole under the next revision when it changes', () => {
    const { announcement, names, on } = announced(['a']);

    names.push('b');
    announcement.tell();

    expect(on.sent).toEqual([frame(5, 'a', 'b')]);
  });

  it('waits for the answer to the last word, and then tells all that came meanwhile', () => {
    const { announcement, names, on } = announced(['a']);
    names.push('b');
    announcement.tell();
    names.push('c');
    announcement.tell();
    expect(on.sent).toHaveLength(1);

    announcement.answered(on, ack(5));
    announcement.answered(on, ack(6));

    expect(on.sent).toEqual([frame(5, 'a', 'b'), frame(6, 'a', 'b', 'c')]);
  });

  it('is told where it changed between the hello and the welcome', () => {
    const names = ['a'];
    const announcement = new Announcement(() => names);
    const on = link(1, ['a']);
    names.push('b');

    announcement.welcomed(on);

    expect(on.sent).toEqual([frame(2, 'a', 'b')]);
  });

  it('is told again above the revision that was there before', () => {
    const { announcement, names, on } = announced(['a']);
    names.push('b');
    announcement.tell();

    announcement.answered(on, ack(5, 9, 'revision_stale'));

    expect(on.sent).toEqual([frame(5, 'a', 'b'), frame(10, 'a', 'b')]);
  });

  it.each(['database_unavailable', 'revision_stale'])(
    'is not told round and round where %s has another cause, but when it is asked for',
    (code) => {
      const { announcement, names, on } = announced(['a']);
      names.push('b');
      announcement.tell();

      announcement.answered(on, ack(5, 4, code));
      expect(on.sent).toHaveLength(1);
      announcement.tell();

      expect(on.sent).toEqual([frame(5, 'a', 'b'), frame(5, 'a', 'b')]);
    },
  );

  it('is not told to a hub that takes no word but the hello', () => {
    const { announcement, names, on } = announced(['a'], 0);

    names.push('b');
    announcement.tell();

    expect(on.sent).toEqual([]);
  });

  it('is told once on the next link: by its hello', () => {
    const { announcement, names, on } = announced(['a']);
    names.push('b');
    announcement.tell();
    const next = link(6, ['a', 'b']);

    announcement.welcomed(next);
    announcement.answered(on, ack(5, 6, 'revision_stale'));

    expect(next.sent).toEqual([]);
  });
});
