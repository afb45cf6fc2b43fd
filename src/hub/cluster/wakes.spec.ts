import { expect, it } from '@jest/globals';
import type { Listener } from './listener.js';
import type { Notifier } from './notifier.js';
import type { PeerDoor } from './peers/door.js';
import type { PeerWakes } from './peers/peer-wakes.js';
import type { Replica } from './replica.js';
import { Wakes } from './wakes.js';

it('keeps a hint that somebody cannot take from nobody else', () => {
  const wakes = new Wakes(
    { id: 'own' } as Replica,
    {} as Notifier,
    {} as Listener,
    {} as PeerWakes,
    {} as PeerDoor,
  );
  const heard: string[] = [];
  const onResumed = () => undefined;
  wakes.subscribe({
    onHint: () => {
      throw new TypeError('of another shape');
    },
    onResumed,
  });
  wakes.subscribe({ onHint: ({ ended }) => heard.push(...ended), onResumed });

  wakes.tell('own', { ended: new Set(['one']) });

  expect(heard).toEqual(['one']);
});
