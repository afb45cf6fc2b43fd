import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CLOSE_CODES } from '../../protocol/close-code.js';
import type { HubFrame } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { ControlSocket } from './control-socket.js';
import { FrameHandlers } from './frame-handlers.js';
import type { ReasonedSocket } from './reasoned-socket.js';

const ACK: HubFrame = { t: 'inventory_ok' };

/** The end of a broker, without a network between. */
class Wire extends EventEmitter {
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readyState = 1;
  bufferedAmount = 0;
  readonly said: string[] = [];
  pings = 0;
  isCut = false;
  closedWith: [code: number, reason: string] | undefined;
  fault: ReasonedSocket['fault'];

  send(text: string): void {
    this.said.push(text);
  }

  ping(): void {
    this.pings += 1;
  }

  close(code: number, reason: string): void {
    this.closedWith ??= [code, reason];
    this.readyState = this.CLOSING;
  }

  terminate(): void {
    this.isCut = true;
  }
}

describe('a socket of the control channel', () => {
  let wire: Wire;
  let socket: ControlSocket;

  beforeEach(() => {
    wire = new Wire();
    const shown = { brokerId: 'b', expiresAt: new Date(1_000) };
    socket = new ControlSocket(wire as unknown as ReasonedSocket, shown, new FrameHandlers());
  });

  it('ends with 4408, and is cut, when as many pings in a row as may be had no answer', () => {
    for (let ping = 0; ping < TIMES.unansweredPings; ping += 1) socket.probe();
    expect([wire.pings, wire.closedWith]).toEqual([TIMES.unansweredPings, undefined]);

    socket.probe();

    expect([wire.closedWith?.[0], wire.isCut]).toEqual([CLOSE_CODES.timed_out, true]);
  });

  it.each(['ping', 'pong'])('takes a %s for an answer', (sign) => {
    for (let ping = 0; ping < 10; ping += 1) {
      socket.probe();
      wire.emit(sign);
    }

    expect(wire.closedWith).toBeUndefined();
  });

  it('ends with 4408 where no hello came in time, and not before', () => {
    const now = jest.spyOn(performance, 'now');
    const openedAt = performance.now();
    socket = new ControlSocket(
      wire as unknown as ReasonedSocket,
      { brokerId: 'b', expiresAt: new Date() },
      new FrameHandlers(),
    );
    now.mockReturnValue(openedAt + TIMES.helloWithinMs - 1);
    socket.expireGreeting();
    const before = wire.closedWith;
    now.mockReturnValue(openedAt + TIMES.helloWithinMs + 1_000);
    socket.expireGreeting();
    now.mockRestore();

    expect([before, wire.closedWith?.[0]]).toEqual([undefined, CLOSE_CODES.timed_out]);
  });

  it('sends while no more waits for its peer than may, and ends with 4429 past that, without dropping in silence', () => {
    wire.bufferedAmount = LIMITS.bufferedBytes;
    expect(socket.send(ACK)).toBe(true);
    wire.bufferedAmount += 1;

    expect(socket.send(ACK)).toBe(false);

    expect(wire.closedWith?.[0]).toBe(CLOSE_CODES.slow_consumer);
    expect(wire.said).toHaveLength(1);
  });

  it('is cut by the second probe where its peer does not take the close either, and not by the first, which may follow at once', () => {
    socket.close('slow_consumer', 'the broker does not read');
    socket.probe();
    const afterOne = wire.isCut;
    socket.probe();

    expect([afterOne, wire.isCut]).toEqual([false, true]);
  });

  describe('that breaks', () => {
    const ends: object[] = [];

    beforeEach(() => {
      ends.length = 0;
      socket.onClosed((end) => ends.push(end));
    });

    const broken = () => {
      wire.emit('error', new Error('the layer below gives it up'));
      wire.emit('close', 1006, Buffer.alloc(0));
    };

    it('has ended as the layer below told its peer, where it was ended for what came in', () => {
      wire.fault = { code: CLOSE_CODES.text_error, reason: 'a text message must be UTF-8' };

      broken();

      expect(ends).toEqual([{ code: CLOSE_CODES.text_error, reason: 'a text message must be UTF-8' }]);
    });

    it('has ended without a word where nobody said one', () => {
      broken();

      expect(ends).toEqual([{ code: 1006, reason: '' }]);
    });

    it('has ended as it was closed before', () => {
      wire.fault = { code: CLOSE_CODES.framing_error, reason: 'what came is no message of a WebSocket' };

      socket.close('timed_out', 'no hello came');
      broken();

      expect(ends).toEqual([{ code: CLOSE_CODES.timed_out, reason: 'no hello came' }]);
    });
  });

  it('knows how long the credential of its upgrade is good', () => {
    expect([999, 1_000].map((ms) => socket.isGoodAt(new Date(ms)))).toEqual([true, false]);
  });
});
