import { applyDecorators, SetMetadata } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import type { BrokerFrameType, FrameOf } from '../../protocol/frame.js';
import { FromBroker } from '../auth/access.js';
import { Frame, FromChannel, FromLink } from './channel.js';
import type { ControlChannel } from './control-channel.js';
import type { Link } from './link.js';

/** The frame that a handler was declared for, in the metadata of the handler. */
export const FRAME = 'fairlead:frame';

type Taken = void | Promise<void>;

/**
 * Takes every frame of one type, of brokers that were welcomed: the handler is given the link and the frame, and the
 * compiler holds it to that very frame. Frames that came in before a welcome never reach it.
 */
export function OnFrame<T extends Exclude<BrokerFrameType, 'hello' | 'promote'>>(type: T) {
  return <H extends (link: Link, frame: FrameOf<T>) => Taken>(
    gateway: object,
    method: string,
    handler: TypedPropertyDescriptor<H>,
  ): void => {
    FromLink()(gateway, method, 0);
    Frame()(gateway, method, 1);
    declared(type)(gateway, method, handler);
  };
}

/** Takes the first frame of a channel, which was authenticated and which is no link yet. */
export function OnHello() {
  return onChannel('hello');
}

/** Takes the one frame that a channel may bring that is held ready, and is no link yet. */
export function OnPromote() {
  return onChannel('promote');
}

function onChannel<T extends 'hello' | 'promote'>(type: T) {
  return <H extends (channel: ControlChannel, frame: FrameOf<T>) => Taken>(
    gateway: object,
    method: string,
    handler: TypedPropertyDescriptor<H>,
  ): void => {
    FromChannel()(gateway, method, 0);
    Frame()(gateway, method, 1);
    declared(type)(gateway, method, handler);
  };
}

function declared(type: BrokerFrameType): MethodDecorator {
  return applyDecorators(SubscribeMessage(type), SetMetadata(FRAME, type), FromBroker());
}
