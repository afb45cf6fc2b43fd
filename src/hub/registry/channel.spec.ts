import { describe, expect, it, jest } from '@jest/globals';
import { Logger, type ArgumentsHost } from '@nestjs/common';
import type { CloseReason } from '../../protocol/close-code.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { DatabaseUnavailable } from '../database/database.errors.js';
import { ChannelFilter } from './channel.js';
import { BrokerRevoked, ReplicaDraining } from './registry.errors.js';

describe('a frame that could not be handled', () => {
  const endOf = (thrown: unknown) => {
    const close = jest.fn<(reason: CloseReason, text: string) => void>();
    const received = { channel: { brokerId: 'b', close } };
    const host = { switchToWs: () => ({ getData: () => received }) } as unknown as ArgumentsHost;
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    new ChannelFilter().catch(thrown, host);
    const isLogged = logged.mock.calls.length > 0;
    logged.mockRestore();
    return { reason: close.mock.calls[0]?.[0], isLogged };
  };

  it.each<[string, unknown, CloseReason, boolean]>([
    ['breaks the protocol', new ProtocolError('no'), 'protocol_error', false],
    ['is of a broker that was revoked', new BrokerRevoked(), 'revoked', false],
    ['came to a replica that drains', new ReplicaDraining(), 'going_away', false],
    ['met no database', new DatabaseUnavailable(new Error('gone')), 'registry_unavailable', false],
    [
      'holds what the database cannot',
      Object.assign(new Error('no'), { code: '22P05' }),
      'protocol_error',
      true,
    ],
    ['met a fault of the hub', new TypeError('no'), 'registry_unavailable', true],
  ])('since it %s ends its channel with the reason for that', (_what, thrown, reason, isLogged) => {
    expect(endOf(thrown)).toEqual({ reason, isLogged });
  });
});
