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
