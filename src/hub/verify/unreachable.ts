/** There is no way to the database that trails were to be read from. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';

  constructor(said: string, cause: unknown) {
    super(`The database cannot be read: ${said}`, { cause });
  }
}
