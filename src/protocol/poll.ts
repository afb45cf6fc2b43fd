/** The answer to a poll, as a broker reads it. */
import type { HubFrame } from './frame.js';
import { LIMITS } from './limits.js';
import { readHubFrame } from './parse.js';
import * as read from './read.js';

export type PollAnswer = {
  /** Number of the first of the frames. */
  first: number;
  frames: HubFrame[];
  /** Number of the broker's last frame that was taken. */
  received: number;
  closed: { code: number; reason: string } | null;
};

const frame = read.reader({ type: 'object' }, (value): HubFrame => readHubFrame(value));

const answer = read.record<PollAnswer>({
  first: read.integer(1),
  frames: read.list(frame, LIMITS.batch),
  received: read.integer(0),
  closed: read.nullable(
    read.record<NonNullable<PollAnswer['closed']>>({ code: read.integer(1000, 4999), reason: read.text() }),
  ),
});

/** @throws ProtocolError for anything that is not the answer to a poll */
export function readPollAnswer(value: unknown): PollAnswer {
  return answer(value, 'answer');
}
