/**
 * Where a token comes from. The command line is the handiest place and the worst, as everybody on the machine can
 * read it; a file, the environment, a pipe and a hidden prompt are there for that reason.
 */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { checkedToken, nonEmpty } from '../api/target.js';
import { ConfigFault, UsageFault } from '../fault.js';
import type { Surroundings } from '../surroundings.js';

export type SecretSources = {
  /** As given on the command line. */
  token?: string | undefined;
  tokenFile?: string | undefined;
  /** The name of the variable that may hold it. */
  variable: string;
};

const LONGEST = 4096;

/** The token from the flag, the file or the environment, in this order; undefined where none was given. */
export async function givenSecret(
  { token, tokenFile, variable }: SecretSources,
  { env, stdin }: Pick<Surroundings, 'env' | 'stdin'>,
): Promise<string | undefined> {
  if (token !== undefined && tokenFile !== undefined) {
    throw new UsageFault('--token and --token-file cannot be given together.');
  }
  if (token !== undefined) return checkedToken(token);
  if (tokenFile === '-') return checkedToken(await readAll(stdin));
  if (tokenFile !== undefined) return checkedToken(await readSecretFile(tokenFile));
  const told = nonEmpty(env[variable]);
  return told === undefined ? undefined : checkedToken(told);
}

/** As `givenSecret`; then from a hidden prompt on a terminal, or from what is piped in. @throws UsageFault */
export async function askedSecret(
  sources: SecretSources,
  prompt: string,
  surroundings: Pick<Surroundings, 'env' | 'stdin' | 'stderr'>,
): Promise<string> {
  const given = await givenSecret(sources, surroundings);
  if (given !== undefined) return given;
  const { stdin, stderr } = surroundings;
  const typed =
    stdin.isTTY === true ? (await readHidden(prompt, stdin, stderr)).trim() : await readAll(stdin);
  if (typed === '') {
    throw new UsageFault(
      `No token was given: use --token, --token-file or ${sources.variable}, or pipe it in.`,
    );
  }
  return checkedToken(typed);
}

/**
 * A password, from a file, a hidden prompt on a terminal, or what is piped in; never from the command line. All of it
 * counts but the end of the line.
 *
 * @throws UsageFault where there is none
 */
export async function askedPassword(
  file: string | undefined,
  prompt: string,
  { stdin, stderr }: Pick<Surroundings, 'stdin' | 'stderr'>,
): Promise<string> {
  const given =
    file !== undefined && file !== '-'
      ? await readFile(file, 'utf8').catch((error: unknown) => {
          const remedy = 'See whether --password-file names a file that this user can read.';
          throw new ConfigFault({ detail: `${file} cannot be read.`, remedy }, { cause: error });
        })
      : file === undefined && stdin.isTTY === true
        ? await readHidden(prompt, stdin, stderr)
        : await readPiped(stdin);
  const password = given.replace(/\r?\n$/, '');
  if (password === '') throw new UsageFault('No password was given: use --password-file, or pipe it in.');
  return password;
}

async function readSecretFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const remedy = 'See whether --token-file names a file that this user can read.';
    throw new ConfigFault({ detail: `${path} cannot be read.`, remedy }, { cause: error });
  }
}

/** Nothing of what is typed is echoed: the interface writes into nowhere, and only the prompt is shown. */
async function readHidden(prompt: string, stdin: Surroundings['stdin'], stderr: Writable): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true });
  stderr.write(prompt);
  try {
    return await new Promise<string>((resolve) => {
      lines.once('line', (line) => resolve(line));
      lines.once('SIGINT', () => resolve(''));
      lines.once('close', () => resolve(''));
    });
  } finally {
    lines.close();
    stderr.write('\n');
  }
}

async function readAll(stdin: Surroundings['stdin']): Promise<string> {
  return (await readPiped(stdin)).trim();
}

async function readPiped(stdin: Surroundings['stdin']): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > LONGEST) throw new UsageFault('What was piped in is too long for a token.');
  }
  return text;
}
