import {
  applyDecorators,
  Catch,
  createParamDecorator,
  Logger,
  SetMetadata,
  UseFilters,
  type ArgumentsHost,
  type ExecutionContext,
  type WsExceptionFilter,
} from '@nestjs/common';
import { WebSocketGateway } from '@nestjs/websockets';
import type { CloseReason } from '../../protocol/close-code.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { CONTROL_PATH } from '../../protocol/version.js';
import type { ProblemCode } from '../problems/code.js';
import { CodedError } from '../problems/coded.error.js';
import { isUnstorable } from '../problems/problem.filter.js';
import type { Received } from './frame-handlers.js';
import { linkOf } from './socket-links.js';

/** Ends a channel whose frame could not be handled, with the code that says why. */
@Catch()
export class ChannelFilter implements WsExceptionFilter {
  private readonly log = new Logger('registry');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const { channel } = host.switchToWs().getData<Received>();
    const [reason, text] = endFor(thrown);
    if (!(thrown instanceof CodedError) && !(thrown instanceof ProtocolError)) {
      this.log.error({ brokerId: channel.brokerId, err: thrown }, 'a frame could not be handled');
    }
    channel.close(reason, text);
  }
}

const CLOSE_FOR: Partial<Record<ProblemCode, CloseReason>> = {
  broker_revoked: 'revoked',
  credential_invalid: 'credential_expired',
  protocol_unsupported: 'version_refused',
  draining: 'going_away',
};

function endFor(thrown: unknown): [CloseReason, string] {
  if (thrown instanceof ProtocolError) return [thrown.reason, thrown.message];
  if (thrown instanceof CodedError) return [CLOSE_FOR[thrown.code] ?? 'registry_unavailable', thrown.message];
  // What no reader has refused would be said again and again, if it was told that the hub is to blame.
  if (isUnstorable(thrown)) return ['protocol_error', 'a value of the frame cannot be stored'];
  return ['registry_unavailable', 'the hub failed'];
}

/** That a gateway is one of this channel, in the metadata of its class. */
export const CHANNEL = 'fairlead:channel';

/** A class whose methods take frames of the control channel, as `OnFrame` and `OnHello` declare. */
export function ChannelGateway(): ClassDecorator {
  return applyDecorators(
    WebSocketGateway({ path: CONTROL_PATH }),
    UseFilters(ChannelFilter),
    SetMetadata(CHANNEL, true),
  );
}

/** The link that a frame came in on; only a hello comes in before there is one. */
export const FromLink = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  linkOf(receivedIn(context).channel),
);

export const FromChannel = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => receivedIn(context).channel,
);

export const Frame = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => receivedIn(context).frame,
);

function receivedIn(context: ExecutionContext): Received {
  return context.switchToWs().getData<Received>();
}
