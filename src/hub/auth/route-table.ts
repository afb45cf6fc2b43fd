import type { FastifyInstance } from 'fastify';

export type Route = {
  readonly method: string;
  /** With the names of its parameters, as Fastify writes them. */
  readonly path: string;
  /** Whether it was declared to be open where it was made. */
  readonly isDeclaredOpen: boolean;
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** For a route that is made past the controllers, where no guard stands: anybody may ask. */
    access?: 'public';
  }
}

/** Every route of the public listener, as it is made: what a test walks, and what the audit of the boot looks at. */
export class RouteTable {
  private readonly made: Route[] = [];

  /** To be called before the first route is made. */
  watch(instance: FastifyInstance): void {
    instance.addHook('onRoute', ({ method, url, config }) => {
      for (const each of [method].flat()) {
        this.made.push({ method: each, path: url, isDeclaredOpen: config?.access === 'public' });
      }
    });
  }

  /** Those that are there by now, without the HEAD that each GET has beside it. */
  get routes(): readonly Route[] {
    return this.made.filter(({ method }) => method !== 'HEAD');
  }

  /** One line for each route that says nothing of itself. Only while the controllers' own are not made, for which the guard stands. */
  undeclared(): string[] {
    return this.made
      .filter(({ isDeclaredOpen }) => !isDeclaredOpen)
      .map(
        ({ method, path }) =>
          `${method} ${path} is made past the controllers, and does not say that it is open`,
      );
  }
}
