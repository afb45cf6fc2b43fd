import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import {
  GATEWAY_METADATA,
  MESSAGE_MAPPING_METADATA,
  MESSAGE_METADATA,
} from '@nestjs/websockets/constants.js';
import { BROKER_FRAME_TYPES } from '../../protocol/parse.js';
import { CHANNEL } from './channel.js';
import { FRAME } from './on-frame.js';

/** Frames that nobody would take, or that somebody would take unchecked: the hub does not start. */
export class FramesUndeclared extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`frames are not taken as they must be:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'FramesUndeclared';
  }
}

/** @throws FramesUndeclared with every fault of every gateway */
export function auditFrames(app: INestApplicationContext): void {
  const faults = undeclaredFrames(app);
  if (faults.length > 0) throw new FramesUndeclared(faults);
}

/**
 * One line for each handler that was not declared by `OnFrame` or `OnHello`, and so would run without a link or with
 * a frame of another shape; for each gateway whose faults would be swallowed; and for each frame of the protocol that
 * is not taken by exactly one handler. Of two, the one that was loaded first would silently never run.
 */
export function undeclaredFrames(app: INestApplicationContext): string[] {
  const gateways = gatewaysOf(app);
  const handlers = gateways.flatMap(handlersOf);
  const known = new Set<string>(BROKER_FRAME_TYPES);
  return [
    ...gateways
      .filter((gateway) => metadata(CHANNEL, gateway) === undefined)
      .map(({ name }) => `${name} is a gateway, but not a ChannelGateway`),
    ...handlers
      .filter(({ isDeclared }) => !isDeclared)
      .map(({ name, frame }) => `${name} takes the frame ${frame} without OnFrame`),
    ...handlers
      .filter(({ frame }) => !known.has(frame))
      .map(({ name, frame }) => `${name} takes the frame ${frame}, which no broker sends`),
    ...BROKER_FRAME_TYPES.flatMap((type) => {
      const takers = handlers.filter(({ frame }) => frame === type).map(({ name }) => name);
      return takers.length === 1 ? [] : [`the frame ${type} is taken by ${takers.join(' and ') || 'nobody'}`];
    }),
  ];
}

type Gateway = { readonly name: string; readonly prototype: Record<string, object> };

type Handler = { name: string; frame: string; isDeclared: boolean };

/** A class that two modules provide is two gateways: each of them would be given the frames. */
function gatewaysOf(app: INestApplicationContext): Gateway[] {
  return app
    .get(DiscoveryService, { strict: false })
    .getProviders()
    .map(({ metatype }) => metatype)
    .filter((type) => typeof type === 'function')
    .filter((type) => metadata(GATEWAY_METADATA, type) !== undefined)
    .map((type) => type as unknown as Gateway);
}

function handlersOf(gateway: Gateway): Handler[] {
  return new MetadataScanner().getAllMethodNames(gateway.prototype).flatMap((method) => {
    const handler = gateway.prototype[method] ?? {};
    if (metadata(MESSAGE_MAPPING_METADATA, handler) === undefined) return [];
    const frame = String(metadata(MESSAGE_METADATA, handler));
    return [{ name: `${gateway.name}.${method}`, frame, isDeclared: metadata(FRAME, handler) === frame }];
  });
}

function metadata(key: string, target: object): unknown {
  return Reflect.getMetadata(key, target) as unknown;
}
