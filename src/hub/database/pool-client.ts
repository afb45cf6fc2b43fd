import pg from 'pg';

/**
 * A connection of the pool that always has somebody who hears of its end. While it passes from the pool to its
 * borrower nobody else listens for a moment; where the server's farewell comes in that very moment, such as in the
 * same packet as its greeting, it would be an uncaught error and the end of the process. The borrower's next statement
 * learns of it all the same.
 */
export class PoolClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }
}

/** In the place of a connection that could not so much as be made: whoever connects it is told why. */
class UnmadeClient extends PoolClient {
  constructor(why: Error) {
    super();
    this.connect = ((told?: (error: unknown) => void) => {
      if (told === undefined) return Promise.reject(why);
      process.nextTick(told, why);
      return undefined;
    }) as typeof this.connect;
  }
}

/**
 * What the pool makes its connections by. The driver reads the file of authorities that an address names as it makes one, and the
 * pool makes some where nobody hears of what that throws: a file that is away would be the end of the process.
 */
export function poolClientOf(Client: typeof PoolClient) {
  return function makeClient(config?: pg.ClientConfig): PoolClient {
    try {
      return new Client(config);
    } catch (error) {
      return new UnmadeClient(error as Error);
    }
  };
}
