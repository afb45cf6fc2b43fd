import 'reflect-metadata';
import type { CanActivate, INestApplicationContext, Type } from '@nestjs/common';
import {
  GUARDS_METADATA,
  PARAMTYPES_METADATA,
  PATH_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { ACCESS, readScope, type Access } from './access.js';
import type { RouteTable } from './route-table.js';

/** Routes that would be denied or not validated: a mistake in the source, so the hub does not start. */
export class RoutesUndeclared extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`routes are not declared as they must be:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'RoutesUndeclared';
  }
}

/**
 * To be called before the application is initialised, when the routes that were made past the controllers are all there are.
 *
 * @param agentGuard what alone knows agents: of a module above this one
 * @throws RoutesUndeclared with every fault of every route
 */
export function auditRoutes(
  app: INestApplicationContext,
  agentGuard: Type<CanActivate>,
  table?: RouteTable,
): void {
  const faults = [...undeclaredRoutes(app, agentGuard), ...(table?.undeclared() ?? [])];
  if (faults.length > 0) throw new RoutesUndeclared(faults);
}

/**
 * One line for each route that does not declare who may call it, and for each whole body, query or parameter
 * object whose type is no class: an interface or an `import type` leaves nothing to validate against, and the
 * pipe would let everything pass. And one for each route of projects that does not take the scope of its caller, and for each
 * of agents that does not stand behind the guard of these.
 */
export function undeclaredRoutes(app: INestApplicationContext, agentGuard: Type<CanActivate>): string[] {
  const scanner = new MetadataScanner();
  return app
    .get(DiscoveryService, { strict: false })
    .getControllers()
    .flatMap(({ metatype }) =>
      typeof metatype === 'function' ? faultsOf(metatype as Controller, scanner, agentGuard) : [],
    );
}

type Controller = { readonly name: string; readonly prototype: Record<string, object> };

type RouteArgument = { index: number; data?: unknown; factory?: unknown };

function faultsOf(controller: Controller, scanner: MetadataScanner, agentGuard: Type<CanActivate>): string[] {
  return scanner
    .getAllMethodNames(controller.prototype)
    .filter((method) => metadata(PATH_METADATA, handlerOf(controller, method)) !== undefined)
    .flatMap((method) =>
      [accessFault(controller, method, agentGuard), ...argumentFaults(controller, method)]
        .filter((fault) => fault !== undefined)
        .map((fault) => `${controller.name}.${method} ${fault}`),
    );
}

function accessFault(
  controller: Controller,
  method: string,
  agentGuard: Type<CanActivate>,
): string | undefined {
  const access = metadata(ACCESS, handlerOf(controller, method)) ?? metadata(ACCESS, controller);
  if (access === undefined) return 'does not declare who may call it';
  const { kind, ...declared } = access as Access & { project?: string };
  if (kind === 'agent' && !isBehind(agentGuard, controller, method))
    return 'is for agents, and has no guard that knows them';
  const isOfProjects = kind === 'person' && declared.project !== undefined;
  if (isOfProjects === takesScope(controller, method)) return undefined;
  return isOfProjects
    ? 'is for members of projects, and does not take its scope'
    : 'takes a scope, and is of no project';
}

/** Guards of a method and of its controller all have to let a caller pass. */
function isBehind(guard: Type<CanActivate>, controller: Controller, method: string): boolean {
  return [handlerOf(controller, method), controller].some((place) =>
    ((metadata(GUARDS_METADATA, place) ?? []) as unknown[]).includes(guard),
  );
}

/** A route that never asks for its scope would answer with what is of all projects. */
function takesScope(controller: Controller, method: string): boolean {
  return Object.values(argumentsOf(controller, method)).some(({ factory }) => factory === readScope);
}

function argumentsOf(controller: Controller, method: string): Record<string, RouteArgument> {
  const given = metadata(ROUTE_ARGS_METADATA, controller, method) as
    Record<string, RouteArgument> | undefined;
  return given ?? {};
}

const VALIDATED = new Map<number, string>([
  [RouteParamtypes.BODY, 'body'],
  [RouteParamtypes.QUERY, 'query'],
  [RouteParamtypes.PARAM, 'parameters'],
]);

/** What the compiler writes where a type does not exist at run time, and classes that say nothing of a content. */
const NO_SHAPE: readonly unknown[] = [undefined, Object, Function, Array, String, Number, Boolean, Promise];

function argumentFaults(controller: Controller, method: string): string[] {
  const types = metadata(PARAMTYPES_METADATA, controller.prototype, method) as unknown[] | undefined;
  return Object.entries(argumentsOf(controller, method)).flatMap(([key, { index, data }]) => {
    const what = VALIDATED.get(Number(key.split(':')[0]));
    const isWhole = data === undefined || data === null;
    return what !== undefined && isWhole && NO_SHAPE.includes(types?.[index])
      ? [`takes a ${what} without a class to validate it`]
      : [];
  });
}

function handlerOf(controller: Controller, method: string): object {
  return controller.prototype[method] ?? {};
}

function metadata(key: string, target: object, property?: string): unknown {
  return property === undefined
    ? (Reflect.getMetadata(key, target) as unknown)
    : (Reflect.getMetadata(key, target, property) as unknown);
}
