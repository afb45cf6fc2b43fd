import { describe, expect, it, jest } from '@jest/globals';
import { Logger, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { DatabaseUnavailable } from '../database/database.errors.js';
import { AccessGuard } from './access.guard.js';
import { ACCESS, FromBroker, InProject, Person, Public } from './access.js';
import { CredentialInvalid, CredentialMissing, Forbidden } from './auth.errors.js';
import type { WebSessions } from './cookies/web-sessions.js';
import type { Credentials } from './credentials.js';
import type { Principal, Role } from './principal.js';
import type { Scope } from './scope.js';

class Undeclared {
  handle(): void {}
}

class Declared {
  @Public()
  open(): void {}

  @Person()
  anybody(): void {}

  @Person('admin')
  admins(): void {}

  @InProject('operator')
  operators(): void {}

  @FromBroker()
  frame(): void {}

  @SetMetadata(ACCESS, { kind: 'agent' })
  agents(): void {}
}

@Person('admin')
class Closed {
  handle(): void {}
}

function makePrincipal(role: Role, access: Principal['access'] = 'write'): Principal {
  const projects = role === 'admin' ? null : ({ p: 'operator', q: 'viewer' } as const);
  return {
    kind: 'person',
    userId: 'u',
    name: 'n',
    role,
    projects,
    access,
    isLimited: false,
    credentialId: 'c',
  };
}

type Asked = { headers: object; method: string; principal?: Principal; scope?: Scope };

function makeContext(controller: new () => object, method: string, authorization?: string, type = 'http') {
  const request: Asked = { headers: { authorization }, method: 'POST' };
  const context = {
    getType: () => type,
    getClass: () => controller,
    getHandler: () => (controller.prototype as Record<string, () => void>)[method],
    switchToHttp: () => ({ getRequest: () => request }),
  } as unknown as ExecutionContext;
  return { request, context };
}

function makeGuard(authenticate: (token: string) => Promise<Principal>) {
  const webSessions = {
    isShown: ({ headers }: Asked) => 'cookie' in headers,
    authenticate: () => Promise.resolve(makePrincipal('member')),
  } as unknown as WebSessions;
  const guard = new AccessGuard(new Reflector(), { authenticate } as unknown as Credentials, webSessions);
  const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  return { guard, logged };
}

const asRole = (role: Role) => () => Promise.resolve(makePrincipal(role));

describe('the guard', () => {
  it('denies a route that declares nothing, whoever calls, and logs its name', async () => {
    const { guard, logged } = makeGuard(asRole('admin'));
    const { context } = makeContext(Undeclared, 'handle', 'Bearer x');

    await expect(guard.canActivate(context)).rejects.toThrow(Forbidden);
    expect(logged).toHaveBeenCalledWith({ route: 'Undeclared.handle' }, expect.any(String));
  });

  it('leaves a route of agents to the guard that knows them', async () => {
    const { guard } = makeGuard(() => Promise.reject(new Error('not to be asked')));

    await expect(guard.canActivate(makeContext(Declared, 'agents').context)).resolves.toBe(true);
  });

  it('lets anybody call a public route without looking at credentials', async () => {
    const { guard } = makeGuard(() => Promise.reject(new Error('not to be asked')));

    await expect(guard.canActivate(makeContext(Declared, 'open').context)).resolves.toBe(true);
  });

  it('puts the principal on the request', async () => {
    const { guard } = makeGuard(asRole('member'));
    const { context, request } = makeContext(Declared, 'anybody', 'Bearer x');

    await guard.canActivate(context);

    expect(request.principal).toEqual(makePrincipal('member'));
  });

  it('hands the token on as it was sent, whatever the case of the scheme', async () => {
    const tokens: string[] = [];
    const { guard } = makeGuard((token) =>
      Promise.resolve(makePrincipal('member')).finally(() => tokens.push(token)),
    );

    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      await guard.canActivate(makeContext(Declared, 'anybody', `${scheme} AbC`).context);
    }

    expect(tokens).toEqual(['AbC', 'AbC', 'AbC']);
  });

  it('asks for the role that a route or its controller names', async () => {
    const { guard } = makeGuard(asRole('member'));
    const denied = makeContext(Declared, 'admins', 'Bearer x');

    await expect(guard.canActivate(denied.context)).rejects.toThrow(Forbidden);
    await expect(guard.canActivate(makeContext(Closed, 'handle', 'Bearer x').context)).rejects.toThrow(
      Forbidden,
    );
    expect(denied.request.principal).toBeUndefined();
    const { guard: forAdmin } = makeGuard(asRole('admin'));
    await expect(forAdmin.canActivate(makeContext(Closed, 'handle', 'Bearer x').context)).resolves.toBe(true);
  });

  it('gives a route of projects the scope of its caller, and no other', async () => {
    const { guard } = makeGuard(asRole('member'));
    const { guard: forAdmin } = makeGuard(asRole('admin'));
    const asked = [
      makeContext(Declared, 'operators', 'Bearer x'),
      makeContext(Declared, 'anybody', 'Bearer x'),
    ];
    const byAdmin = makeContext(Declared, 'operators', 'Bearer x');

    for (const { context } of asked) await guard.canActivate(context);
    await forAdmin.canActivate(byAdmin.context);

    expect(asked.map(({ request }) => request.scope)).toEqual([{ sees: ['p', 'q'], may: ['p'] }, undefined]);
    expect(byAdmin.request.scope).toEqual({ sees: null, may: null });
  });

  it('lets a token that is for reading change nothing', async () => {
    const { guard } = makeGuard(() => Promise.resolve(makePrincipal('admin', 'read')));
    const { context, request } = makeContext(Declared, 'anybody', 'Bearer x');

    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      request.method = method;
      await expect(guard.canActivate(context)).rejects.toThrow(Forbidden);
    }
    request.method = 'GET';
    await expect(guard.canActivate(context)).resolves.toBe(true);
  });

  it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic eDp5', 'Bearer a b', 'x'])(
    'takes the header %j for no credential',
    async (header) => {
      const { guard } = makeGuard(asRole('admin'));

      await expect(guard.canActivate(makeContext(Declared, 'anybody', header).context)).rejects.toThrow(
        CredentialMissing,
      );
    },
  );

  it('passes on an outage as an outage and a bad credential as a bad credential', async () => {
    const { context } = makeContext(Declared, 'anybody', 'Bearer x');
    const { guard: cutOff } = makeGuard(() => Promise.reject(new DatabaseUnavailable(new Error('refused'))));
    const { guard: strict } = makeGuard(() => Promise.reject(new CredentialInvalid()));

    await expect(cutOff.canActivate(context)).rejects.toThrow(DatabaseUnavailable);
    await expect(strict.canActivate(context)).rejects.toThrow(CredentialInvalid);
  });

  it('lets frames of an authenticated upgrade pass to handlers that are declared for them', async () => {
    const { guard } = makeGuard(() => Promise.reject(new Error('not to be asked')));

    const { context } = makeContext(Declared, 'frame', undefined, 'ws');

    await expect(guard.canActivate(context)).resolves.toBe(true);
  });

  it.each([
    ['a frame to a handler that declares nothing', Undeclared, 'handle', 'ws'],
    ['a frame to what is open to everybody', Declared, 'open', 'ws'],
    ['a frame to what asks for a person', Declared, 'anybody', 'ws'],
    ['a request to a handler of frames', Declared, 'frame', 'http'],
    ['what is neither', Declared, 'frame', 'rpc'],
  ])('denies %s', async (_what, controller, method, type) => {
    const { guard } = makeGuard(asRole('admin'));

    const { context } = makeContext(controller, method, 'Bearer x', type);

    await expect(guard.canActivate(context)).rejects.toThrow(Forbidden);
  });
});
