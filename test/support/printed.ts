import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What a program prints as JSON when it is asked to, and how it ends. */
export async function printedBy(
  args: string[],
  env: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [...args, '--json'], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { ...(JSON.parse(said) as Record<string, unknown>), code };
}
