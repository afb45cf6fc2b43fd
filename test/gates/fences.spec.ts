import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { faultsOfTable, isFenced } from '../../scripts/fences/faults.js';
import { mutantsOf, planted, MutantDoesNotFit, type Mutant } from '../../scripts/fences/mutant.js';
import { Stage } from '../../scripts/fences/stage.js';
import { built } from './support/built.js';
import { run } from './support/program.js';

const SPEC = 'test/integration/fences-agent.spec.ts';
const TEXT = `update agent\nset phase = $2\nwhere id = $1\n  and phase <> 'deleted'`;

function table(change: Partial<Mutant> = {}): string[] {
  const mutants = mutantsOf('step', SPEC, [['steps what is gone', `$1 and phase <> 'deleted'`, '$1']]);
  const statements = new Map([['step', { name: 'step', text: TEXT }]]);
  return faultsOfTable(
    mutants.map((mutant) => ({ ...mutant, ...change })),
    statements,
    (path) => path === SPEC,
  );
}

describe('the table of mutants', () => {
  it('fits the statements, and the server understands each', async () => {
    const { code, err } = await run(built('scripts/fences.js'), ['--check'], {
      env: { DATABASE_URL: String(process.env.FAIRLEAD_TEST_ADMIN_URL) },
    });

    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it('passes where each statement with a fence has a mutant, whatever its line breaks', () => {
    expect(table()).toEqual([]);
  });

  it.each<[string, Partial<Mutant>, RegExp]>([
    ['text that is not there', { from: 'and phase is null' }, /stands there 0 times/],
    ['text that is there twice', { from: 'phase' }, /stands there 2 times/],
    ['a statement that is not there', { statement: 'gone' }, /there is no such statement/],
    ['a spec that is not there', { caughtBy: ['test/gone.spec.ts'] }, /there is no test\/gone/],
    ['nothing that catches it', { caughtBy: [] }, /nothing is to catch it/],
    ['a change that changes nothing', { from: '$2', to: '$2' }, /it changes nothing/],
  ])('fires on %s', (_what, change, fault) => {
    expect(table(change).join('\n')).toMatch(fault);
  });

  it('fires on a statement with fences that no mutant is made of', () => {
    const statements = new Map([['step', { name: 'step', text: TEXT }]]);

    expect(faultsOfTable([], statements)).toEqual(['step: it has fences, and no mutant is made of it']);
  });

  describe('of a statement with locks', () => {
    const held = (phase: string) => `select id\nfrom agent\nwhere phase = ${phase}\nfor update skip locked`;
    const text = `with mine as (\n${held('$1')}\n),\nrest as (\n${held('$2')}\n)\nselect id from mine`;
    const faults = (...changes: [string, string][]) =>
      faultsOfTable(
        mutantsOf(
          'take',
          SPEC,
          changes.map(([from, to]) => ['x', from, to]),
        ),
        new Map([['take', { name: 'take', text }]]),
        () => true,
      );

    it('passes where each is touched, wherever it stands', () => {
      expect(
        faults(
          ['for update skip locked ), rest', '), rest'],
          ['for update skip locked ) select', 'for update ) select'],
          ['for update skip locked ) select', 'for share skip locked ) select'],
        ),
      ).toEqual([]);
    });

    it('fires on those that no mutant touches, and takes none for touched that only shows where the change is', () => {
      expect(
        faults(['for update skip locked ), rest', 'for update ), rest'], ['id from mine', '1 from mine']),
      ).toEqual([
        'take: no mutant touches "for update" after "from agent where phase = $1"',
        'take: no mutant touches "for update" after "from agent where phase = $2"',
        'take: no mutant touches "skip locked" after "where phase = $2 for update"',
      ]);
    });
  });

  it.each([
    ['delete from broker_dispatch where attempt = $1', true],
    ['insert into idempotency_key values ($1) on conflict do nothing', true],
    ['select id from agent where id = $1 for update', true],
    [`select id from agent where phase <> 'deleted'`, false],
    ['insert into broker (id) values ($1)', false],
  ])('takes for fenced or not: %s', (text, fenced) => {
    expect(isFenced({ name: 'it', text })).toBe(fenced);
  });

  it('is of text that is taken as it is written, and not as a pattern', () => {
    const [mutant] = mutantsOf('it', SPEC, [['x', '($1)', '$&']]);

    expect(planted(mutant!, 'select f($1)')).toBe('select f$&');
    expect(() => planted(mutant!, 'select f(11)')).toThrow(MutantDoesNotFit);
  });
});

describe('the trial of a mutant', () => {
  let stage: Stage;

  beforeAll(() => {
    stage = new Stage();
  });

  afterAll(() => stage.remove());

  const trial = (phase: string) => {
    const text = `select id from agent where name = $1 and phase <> '${phase}'`;
    return stage.run([SPEC], { statement: 'find_agent_by_name', text }, AbortSignal.timeout(60_000));
  };

  it('tells the test that caught it', async () => {
    const { failed } = await trial('created');

    expect(failed).toBe('an agent that was deleted is found neither by its name nor in a list');
  });

  it('tells of one that survived', async () => {
    expect(await trial('deleted')).toMatchObject({ failed: undefined });
  });
});
