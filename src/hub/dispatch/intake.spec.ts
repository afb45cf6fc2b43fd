import { describe, expect, it, jest } from '@jest/globals';
import type { Draft } from './draft.js';
import type { InsertRepository } from './insert.repository.js';
import { BYTES_MOST, COMMANDS_MOST, Intake } from './intake.js';
import { Submission } from './submission.js';

const draft = (argsBytes = 2) => ({ argsBytes }) as Draft;
const OVERLOADED = { code: 'overloaded' };

/** Takes that many in, and stores none before it is told to. */
function held(intake: Intake, drafts: readonly Draft[]): { stored: Promise<unknown>; store: () => void } {
  let store = (): void => undefined;
  const isStored = new Promise<void>((resolve) => (store = resolve));
  return { stored: Promise.all(drafts.map((each) => intake.during(each, () => isStored))), store };
}

describe('what comes in and is not stored yet', () => {
  it('is as many commands as a replica may hold, and not one more', async () => {
    const intake = new Intake();
    const { stored, store } = held(
      intake,
      Array.from({ length: COMMANDS_MOST }, () => draft()),
    );

    await expect(intake.during(draft(), () => Promise.resolve())).rejects.toMatchObject(OVERLOADED);
    expect(intake.waiting).toBe(COMMANDS_MOST);

    store();
    await stored;
    await intake.during(draft(), () => Promise.resolve());
    expect(intake.waiting).toBe(0);
  });

  it('is as many bytes of arguments as a replica may hold, and not one more', async () => {
    const intake = new Intake();
    const { stored, store } = held(intake, [draft(BYTES_MOST - 1)]);

    await expect(intake.during(draft(2), () => Promise.resolve())).rejects.toMatchObject(OVERLOADED);
    await intake.during(draft(1), () => Promise.resolve());

    store();
    await stored;
    await intake.during(draft(2), () => Promise.resolve());
  });

  it('is let go of where it could not be stored', async () => {
    const intake = new Intake();

    const storing = intake.during(draft(BYTES_MOST), () => Promise.reject(new Error('the database is away')));

    await expect(storing).rejects.toThrow('the database is away');
    await intake.during(draft(BYTES_MOST), () => Promise.resolve());
    expect(intake.waiting).toBe(0);
  });

  it('is looked at before a command is stored', async () => {
    const intake = new Intake();
    const insert = jest.fn<InsertRepository['insert']>().mockRejectedValue(new Error('asked'));
    const nobody = {
      mayAct: true,
      assertMayAct: () => undefined,
      seal: () => ({}),
      offer: () => ({ withdraw: () => undefined }),
    } as never;
    const submission = new Submission(
      ...([
        { insert },
        nobody,
        nobody,
        nobody,
        nobody,
        nobody,
        nobody,
        nobody,
        nobody,
        intake,
      ] as unknown as ConstructorParameters<typeof Submission>),
    );
    const { stored, store } = held(intake, [draft(BYTES_MOST)]);

    await expect(submission.submit(draft(1))).rejects.toMatchObject(OVERLOADED);
    expect(insert).not.toHaveBeenCalled();

    store();
    await stored;
    await expect(submission.submit(draft(1))).rejects.toThrow('asked');
  });
});
