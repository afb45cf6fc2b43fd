import { describe, expect, it } from '@jest/globals';
import type { ControlSocket } from './control-socket.js';
import { Link } from './link.js';
import { Links } from './links.js';

function socket(isOpen = true) {
  const told: unknown[] = [];
  const send = (frame: unknown) => told.push(frame) > 0;
  const close = (reason: string, text: string) => void told.push([reason, text]);
  return { isOpen, silenceMs: 7, told, send, close };
}

function link(epoch: number, on: object = socket(), brokerId = 'b'): Link {
  const facts = {
    connectionId: 'c',
    bootId: 'o',
    journalId: 'j',
    window: 1,
    capabilities: [],
    capabilitiesRevision: 1,
    attachments: [],
    health: 'online',
  };
  return new Link(on as unknown as ControlSocket, { ...facts, brokerId, epoch } as Link['facts']);
}

describe('a link', () => {
  it('carries work while it is open and nothing newer is known', () => {
    expect(link(1).carriesWork).toBe(true);
    expect(link(1, socket(false)).carriesWork).toBe(false);
  });

  it('that has a successor carries no more work, and is read still', () => {
    const old = link(1);

    old.displace(2);

    expect([old.carriesWork, old.isOpen]).toEqual([false, true]);
  });

  it('takes what its broker can do by the greatest revision, in whichever order words arrive', () => {
    const held = link(1);

    held.become(['late'], 3);
    held.become(['early'], 2);
    held.become(['again'], 3);

    expect(held.facts).toMatchObject({ capabilities: ['late'], capabilitiesRevision: 3 });
  });

  it('is displaced for good', () => {
    const old = link(1);
    old.displace(3);

    old.displace(2);

    expect(old.carriesWork).toBe(false);
  });

  it('is that of its broker, under its epoch, on its socket', () => {
    const on = socket();
    const it = link(4, on);

    it.send({ t: 'inventory_ok' });
    it.close('goodbye', 'done');

    expect([it.brokerId, it.epoch, it.silenceMs]).toEqual(['b', 4, 7]);
    expect(on.told).toEqual([{ t: 'inventory_ok' }, ['goodbye', 'done']]);
  });
});

describe('the links of a replica', () => {
  function watched() {
    const links = new Links();
    const seen: string[] = [];
    const stop = links.observe({
      opened: ({ epoch }) => seen.push(`opened ${epoch}`),
      closed: ({ epoch }, reason) => seen.push(`closed ${epoch} ${reason}`),
    });
    return { links, seen, stop };
  }

  it('are known by their brokers, and told of as they open and close', () => {
    const { links, seen } = watched();
    const held = link(1);

    links.open(held);
    expect([links.get('b'), links.count, links.all()]).toEqual([held, 1, [held]]);

    expect(links.close(held, 'over')).toBe(true);
    expect([links.get('b'), links.count, links.all()]).toEqual([undefined, 0, []]);
    expect(seen).toEqual(['opened 1', 'closed 1 over']);
  });

  it('are closed once: the late end of an older one closes nothing', () => {
    const { links, seen } = watched();
    const [older, newer] = [link(1), link(2)];
    links.open(older);
    links.open(newer);

    expect(links.close(older, 'late')).toBe(false);

    expect(links.get('b')).toBe(newer);
    expect(seen).toEqual(['opened 1', 'opened 2']);
    expect(links.close(newer, 'over')).toBe(true);
    expect(links.close(newer, 'again')).toBe(false);
  });

  it('are watched until that is ended, and by who wants to know of one thing alone', () => {
    const { links, seen, stop } = watched();
    links.observe({});
    stop();

    const held = link(1);
    links.open(held);

    expect(links.close(held, 'over')).toBe(true);
    expect(seen).toEqual([]);
  });
});
