import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { SOFTWARE } from '../../src/cli/software.js';
import { expectNoLeaks } from '../support/leaks.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

let hub: ScriptedHub | undefined;

async function version(options: string[], ...answers: Answer[]) {
  hub = await ScriptedHub.open(...answers);
  return runCli(['version', ...options], { env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } });
}

const page = (items: unknown[], nextCursor: string | null = null): Answer => ({
  body: { items, nextCursor },
});
const replica = (software: string, state = 'active') => ({ state, software });
const broker = (name: string, software: string, replicaId: string | null = 'r-1') => ({
  name,
  software,
  ownership: { replica: replicaId },
});

afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

afterAll(() => expectNoLeaks());

describe('fairlead version', () => {
  it('names the command, the hub and the connected brokers, and warns of nothing where all are alike', async () => {
    const brokers = [broker('build-1', SOFTWARE), broker('old', '0.0.1', null)];

    const ran = await version([], page([replica(SOFTWARE)]), page(brokers));

    expect(ran).toMatchObject({
      code: 0,
      out: `fairlead ${SOFTWARE}\nhub ${SOFTWARE}\nbrokers ${SOFTWARE} (1)\n`,
      err: '',
    });
  });

  it('warns of brokers that run another version than the hub, by name', async () => {
    const ran = await version([], page([replica(SOFTWARE)]), page([broker('build-1', '0.0.1')]));

    expect(ran.err).toBe(`warning: the hub runs ${SOFTWARE}, and broker build-1 0.0.1\n`);
  });

  it('names some of many brokers and counts the others, over all pages', async () => {
    const brokers = Array.from({ length: 7 }, (_each, at) => broker(`build-${at}`, '0.0.1'));

    const ran = await version(
      [],
      page([replica(SOFTWARE)]),
      page(brokers.slice(0, 4), 'more'),
      page(brokers.slice(4)),
    );

    expect(ran.out).toContain('brokers 0.0.1 (7)');
    expect(ran.err).toContain('broker build-4 0.0.1, 2 more brokers another version');
    expect(hub?.asked.map(({ path }) => path).slice(1)).toEqual([
      '/api/v1/brokers?limit=500',
      '/api/v1/brokers?limit=500&cursor=more',
    ]);
  });

  it('warns of replicas that differ, as they do during a rollout', async () => {
    const ran = await version([], page([replica(SOFTWARE), replica('9.9.9')]), page([broker('a', '9.9.9')]));

    expect(ran.err.split('\n')).toEqual([
      `warning: this command is ${SOFTWARE}, and the hub runs 9.9.9`,
      `warning: the replicas of the hub differ: ${SOFTWARE}, 9.9.9`,
      '',
    ]);
  });

  it('is one document with --json', async () => {
    const ran = await version(['--json'], page([replica('9.9.9')]), page([broker('build-1', '0.0.1')]));

    expect(ran.json()).toEqual({
      cli: SOFTWARE,
      hub: ['9.9.9'],
      brokers: [{ name: 'build-1', software: '0.0.1' }],
    });
  });

  it('tells what it knows where the hub does not tell of its brokers', async () => {
    const ran = await version([], page([replica(SOFTWARE)]), problem('forbidden'));

    expect(ran).toMatchObject({ code: 0, out: `fairlead ${SOFTWARE}\nhub ${SOFTWARE}\n` });
    expect(ran.err).toContain('The versions of the brokers are not known');
  });
});
