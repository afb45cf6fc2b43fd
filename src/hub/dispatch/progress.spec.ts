import { beforeEach, describe, expect, it } from '@jest/globals';
import { linkOf } from '../../../test/support/ready-backlog.js';
import type { LoopOptions } from '../lifecycle/loop.js';
import type { ProgressWord } from './progress.repository.js';
import { Progress } from './progress.js';

const BROKER = 'b';

let progress: Progress;
let turn: () => Promise<void>;
let wakes: number;
/** What the agents were for which commands were looked up, one list a look. */
let asked: (readonly string[])[];
let onAsked: () => void;
let noted: string[];

beforeEach(() => {
  asked = [];
  onAsked = () => undefined;
  noted = [];
  const repository = {
    ofAgents: async (_ids: readonly string[], agentIds: readonly string[]) => {
      asked.push(agentIds);
      await Promise.resolve();
      onAsked();
      return agentIds.map((agentId) => ({ id: `of ${agentId}`, attempt: 1 }));
    },
    note: (words: readonly ProgressWord[]) => {
      noted.push(...words.map(({ id }) => id));
      return Promise.resolve([]);
    },
  };
  const backlogs = {
    isOut: () => true,
    outOf: (brokerId: string) => ({ link: { brokerId, epoch: 1 }, ids: ['of one', 'of other'] }),
  };
  wakes = 0;
  const loops = {
    make: (options: LoopOptions) => {
      turn = () => options.turn(new AbortController().signal);
      return { wake: () => (wakes += 1) };
    },
  };
  const fakes = [repository, backlogs, { id: 'replica', mayAct: true }, {}, loops];
  progress = new Progress(...(fakes as unknown as ConstructorParameters<typeof Progress>));
});

describe('a word of a broker', () => {
  const link = linkOf(64, BROKER);
  const tell = (id: string) => progress.took(link, [{ id, attempt: 1, fraction: 0.5, note: null }]);

  it('is written at once where none of its command was within a second, whatever else waits', async () => {
    tell('one');
    const first = wakes;
    await turn();
    tell('other');
    const second = wakes;
    tell('one');

    expect([first, second, wakes]).toEqual([1, 2, 2]);
    expect(noted).toEqual(['one']);
  });
});

describe('agents that are not as they were', () => {
  const changed = (...ids: string[]) => progress.agentsChanged(ids.map((id) => ({ id, brokerId: BROKER })));

  it('are word of the commands that are about them, once', async () => {
    changed('one');

    await turn();
    await turn();

    expect(asked).toEqual([['one']]);
    expect(noted).toEqual(['of one']);
  });

  it('are looked up in the next turn where they change while others of their broker are looked up', async () => {
    changed('one');
    onAsked = () => {
      onAsked = () => undefined;
      changed('other');
    };

    await turn();
    await turn();

    expect(asked).toEqual([['one'], ['other']]);
    expect(noted).toEqual(['of one', 'of other']);
  });

  it('are looked up again, with those that changed meanwhile, where they could not be', async () => {
    changed('one');
    onAsked = () => {
      onAsked = () => undefined;
      changed('other');
      throw new Error('the database is away');
    };

    await expect(turn()).rejects.toThrow('the database is away');
    await turn();

    expect(asked).toEqual([['one'], expect.arrayContaining(['one', 'other'])]);
    expect(noted.sort()).toEqual(['of one', 'of other']);
  });
});
