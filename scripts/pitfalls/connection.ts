import { pitfall, type Chapter } from './pitfall.js';

const BROKER = 'test/broker/broker.spec.ts';
const WIRE = 'test/e2e/wire.spec.ts';

export const CONNECTION: Chapter = {
  title: 'The channel',
  pitfalls: [
    pitfall(
      38,
      'Work is done in the loop that reads, and a slow piece of it looks like a dead link.',
      [
        BROKER,
        'a broker and its hub given a command reads on while it works: one slow command holds up no other',
      ],
      [
        'test/fault/lost-answers.spec.ts',
        'a replica whose connection breaks while the rows are looked up does not let others wait',
      ],
    ),
    pitfall(
      39,
      'One item that is too large ends the link for all others.',
      [
        WIRE,
        'the wire once welcomed takes a result up to its limit, and keeps a larger one as failed without an end of the link',
      ],
      [
        WIRE,
        'the wire once welcomed takes the data of an error up to the limit of a result, and keeps a larger one as failed without it',
      ],
      [
        'test/e2e/frames.spec.ts',
        'commands with large arguments travel in frames that a broker takes, by their bytes and not by their characters',
      ],
    ),
    pitfall(
      40,
      'Output that flows shares the socket with commands, and a slow reader stops both.',
      [
        'src/broker/runtime/output.spec.ts',
        'the output of a run read from its end says that there is more where the cap cut it, and begins at a whole line',
      ],
      [
        'test/e2e/refusals.spec.ts',
        'a broker at the door that reads nothing once it is linked is sent no more than it may leave, and goes on once it reads',
      ],
    ),
    pitfall(
      41,
      'Clients come back all at once, since jitter is missing or unused, and no stop ends their wait.',
      [
        'src/broker/connection/backoff.spec.ts',
        'the wait before an attempt uses the whole of its span, so that a fleet does not come back at once',
      ],
      [
        'src/broker/connection/patience.spec.ts',
        'Patience takes what the hub said as a floor, and keeps its jitter',
      ],
      ['src/broker/connection/connector.spec.ts', 'Connector stops at once within a wait of minutes'],
    ),
    pitfall(
      42,
      'Frames are dropped in silence when a buffer is full.',
      [
        'src/hub/registry/control-socket.spec.ts',
        'a socket of the control channel sends while no more waits for its peer than may, and ends with 4429 past that, without dropping in silence',
      ],
      [
        'test/integration/channel-frames.spec.ts',
        'the frames of the control channel that nobody takes end the channel, and are not dropped in silence',
      ],
    ),
    pitfall(43, 'A link that breaks cancels the work that came over it.', [
      BROKER,
      'a broker and its hub given a command goes on with it when the link is lost, and tells the result on the next',
    ]),
  ],
};
