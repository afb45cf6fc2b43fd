import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsString,
  Length,
  ValidateBy,
} from 'class-validator';
import type { BrokerError } from '../../../protocol/frame.js';
import { LIMITS } from '../../../protocol/limits.js';
import type { Message, Sender } from '../../../protocol/op.js';
import { isUuid } from '../../../protocol/read.js';
import { storable } from '../../database/jsonb.js';
import type { BatchOutcome } from '../../dispatch/batches.js';
import { BatchOutcomeDto } from '../../dispatch/dto/batch.dto.js';
import { WithDeadlineDto } from '../../dispatch/dto/dispatch.dto.js';
import { toOutcomeDto } from '../../dispatch/dto/outcome.js';
import type { DispatchRecord } from '../../dispatch/record.js';
import { hasEnded } from '../../dispatch/state.js';
import { ApiProperty } from '../../http/described.js';

export const MESSAGE_STATES = ['pending', 'delivered', 'failed'] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

/** Agents that one request may send to. */
export const GROUP_MOST = 100;

export class SendMessageDto extends WithDeadlineDto {
  @ApiProperty({ description: `At most ${LIMITS.messageTextBytes} bytes of UTF-8, without NUL.` })
  @IsMessageText()
  text: string;
}

export class SendMessagesDto extends SendMessageDto {
  @ApiProperty({ type: [String], minItems: 1, maxItems: GROUP_MOST, description: 'Agents by id or name.' })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(GROUP_MOST)
  @ArrayUnique()
  @IsString({ each: true })
  @Length(1, 64, { each: true })
  agents: string[];
}

export class MessageOutcomeDto extends BatchOutcomeDto {
  @ApiProperty({ description: 'The agent, as it was asked for; of a project by its name.' })
  agent: string;
}

export class MessagesSentDto {
  @ApiProperty({
    type: [MessageOutcomeDto],
    description: 'One for each agent, in the order of the request; of a project the oldest agent first.',
  })
  items: MessageOutcomeDto[];

  @ApiProperty({ type: 'integer' })
  accepted: number;

  @ApiProperty({ type: 'integer' })
  refused: number;

  static of(outcomes: readonly { agent: string; outcome: BatchOutcome }[]): MessagesSentDto {
    const items = outcomes.map(({ agent, outcome }) => ({ agent, ...toOutcomeDto(outcome) }));
    const accepted = items.filter(({ dispatch }) => dispatch !== null).length;
    return { items, accepted, refused: items.length - accepted };
  }
}

export class ReceiptDto {
  @ApiProperty({ format: 'date-time', description: 'When the hub learned of it.' })
  at: string;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'uuid',
    description: 'The run whose command was given it; null where its broker does not say.',
  })
  runId: string | null;
}

export class MessageDto {
  @ApiProperty({ format: 'uuid', description: 'Also that of its dispatch, whose trail tells the rest.' })
  id: string;

  @ApiProperty({ type: Object, description: 'Who sent it: kind, id and name.' })
  from: Sender;

  @ApiProperty()
  text: string;

  @ApiProperty({ format: 'date-time' })
  sentAt: string;

  @ApiProperty({
    enum: MESSAGE_STATES,
    description: "`delivered`: all of it is in the pipe that is the agent's standard input.",
  })
  state: MessageState;

  @ApiProperty({ type: ReceiptDto, nullable: true, description: 'null unless it was delivered.' })
  receipt: ReceiptDto | null;

  @ApiProperty({
    type: Object,
    nullable: true,
    description:
      'Why it failed: code and message. With `outcome_unknown` the agent may have read it; otherwise it has not.',
  })
  reason: BrokerError | null;

  static of({ id, args, state, endedAt, result, error }: DispatchRecord): MessageDto {
    const { from, text, sentAt } = args.message as unknown as Message;
    const sent = { id, from, text, sentAt };
    if (!hasEnded(state)) return { ...sent, state: 'pending', receipt: null, reason: null };
    if (state === 'succeeded') {
      const receipt = { at: (endedAt ?? new Date(sentAt)).toISOString(), runId: runIdIn(result) };
      return { ...sent, state: 'delivered', receipt, reason: null };
    }
    const reason = error ?? { code: state, message: `It was ${state}.`, retryable: false };
    return { ...sent, state: 'failed', receipt: null, reason };
  }
}

/** What a broker gave as its result may be anything. */
function runIdIn(result: DispatchRecord['result']): string | null {
  const isObject = typeof result === 'object' && result !== null && !Array.isArray(result);
  return isObject && isUuid(result.runId) ? result.runId : null;
}

export class MessagePageDto {
  @ApiProperty({ type: [MessageDto] })
  items: MessageDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}

export class ProjectMessageDto extends MessageDto {
  @ApiProperty({ type: String, format: 'uuid', description: 'The agent that it is for.' })
  agent: string;

  static ofProject(record: DispatchRecord): ProjectMessageDto {
    return { ...MessageDto.of(record), agent: record.agentId ?? '' };
  }
}

export class ProjectMessagePageDto {
  @ApiProperty({ type: [ProjectMessageDto] })
  items: ProjectMessageDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}

/** Text that reaches an agent as it was sent: jsonb can hold no NUL, and no half of a surrogate pair. */
function IsMessageText(): PropertyDecorator {
  const rule = `text must be 1 to ${LIMITS.messageTextBytes} bytes of UTF-8, without NUL`;
  return ValidateBy({
    name: 'isMessageText',
    validator: {
      validate: (text) =>
        typeof text === 'string' &&
        text !== '' &&
        Buffer.byteLength(text) <= LIMITS.messageTextBytes &&
        storable(text) === text,
      defaultMessage: () => rule,
    },
  });
}
