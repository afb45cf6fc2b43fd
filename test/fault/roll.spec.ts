import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const DRILL = resolve('dist/scripts/drill/main.js');

/** The last line that the drill prints. */
async function drill(...args: string[]): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [DRILL, ...args, '--json'], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { ...(JSON.parse(said) as Record<string, unknown>), code };
}

const CLEAN = { givenUp: 0, lost: 0, duplicated: 0, reordered: 0, irregular: 0 };

describe('under load from callers at a balancer, with brokers in processes of their own', () => {
  it('a roll of three replicas refuses no call, loses, doubles and reorders nothing, and leaves no broker without an owner for 250 ms', async () => {
    const figures = await drill('roll', '--brokers', '12', '--rate', '60');

    expect(figures).toMatchObject({ code: 0, ok: true, ...CLEAN, refused: 0, unknown: 0 });
    expect((figures.gapMs as { max: number }).max).toBeLessThanOrEqual(250);
    expect(figures.moves).toBeGreaterThanOrEqual(12);
    expect(figures.effects).toBe(figures.commands);
  }, 300_000);
});
