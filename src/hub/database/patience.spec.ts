import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../config/config.error.js';
import { CodedError } from '../problems/coded.error.js';
import { DatabaseUnavailable } from './database.errors.js';
import { patiently } from './patience.js';

const serverSays = (code: string, message: string) => Object.assign(new Error(message), { code });

describe('the first work of a boot', () => {
  it.each([
    ['starts', serverSays('57P03', 'the database system is starting up')],
    ['takes no more connections', serverSays('53300', 'sorry, too many clients already')],
    ['is not there', serverSays('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432')],
    ['is gone by then', serverSays('EPIPE', 'write EPIPE')],
    ['did not answer in time', new DatabaseUnavailable(new Error('timeout'))],
  ])('is done again where the server %s', async (_, error) => {
    let tries = 0;
    const work = (): Promise<string> => {
      tries += 1;
      return tries === 1 ? Promise.reject(error) : Promise.resolve('done');
    };

    expect(await patiently(work)).toBe('done');
    expect(tries).toBe(2);
  });

  it('ends where the server stays away, and says what it said last', async () => {
    const refused = serverSays('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432');

    const failed = patiently(() => Promise.reject(refused), 0);

    await expect(failed).rejects.toMatchObject({ code: 'database_unavailable', cause: refused });
  });

  it.each([
    ['a wrong password', serverSays('28P01', 'password authentication failed')],
    ['a pooler that takes no settings', serverSays('08P01', 'unsupported startup parameter: options')],
    [
      'a setting that cannot be meant',
      new ConfigError([{ variable: 'DATABASE_URL', rule: 'must be a URL' }]),
    ],
    ['what has a code of its own', new CodedError('replica_fenced')],
  ])('is not done again for %s', async (_, error) => {
    let tries = 0;
    const work = (): Promise<string> => {
      tries += 1;
      return Promise.reject(error);
    };

    await expect(patiently(work)).rejects.toBe(error);
    expect(tries).toBe(1);
  });
});
