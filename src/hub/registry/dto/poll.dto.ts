import { ArrayMaxSize, IsArray, IsInt, IsObject, IsUUID, Max, Min, ValidateIf } from 'class-validator';
import { LIMITS } from '../../../protocol/limits.js';
import { ApiProperty } from '../../http/described.js';
import { AsGiven } from '../../problems/as-given.js';
import type { SentFrame } from '../sent-frame.js';

export class PollDto {
  @ApiProperty({
    format: 'uuid',
    type: String,
    nullable: true,
    description: 'Of the welcome; null in the first poll, whose one frame is the hello.',
  })
  @ValidateIf(({ connectionId }: PollDto) => connectionId !== null)
  @IsUUID(undefined, { message: 'must be a uuid, or null' })
  connectionId: string | null;

  @ApiProperty({
    minimum: 1,
    description: "The number of the first frame here. A broker's frames are numbered from 1, the hello.",
  })
  @IsInt({ message: 'must be a whole number' })
  @Min(1, { message: 'must be at least 1' })
  @Max(Number.MAX_SAFE_INTEGER, { message: 'must be a whole number' })
  first: number;

  @ApiProperty({
    type: [Object],
    maxItems: LIMITS.batch,
    description: 'All frames that were not seen taken, in order; see docs/asyncapi.json.',
  })
  @IsArray({ message: 'must be a list' })
  @ArrayMaxSize(LIMITS.batch, { message: `must have at most ${LIMITS.batch} frames` })
  @IsObject({ each: true, message: 'must have objects alone' })
  @AsGiven()
  frames: SentFrame[];

  @ApiProperty({
    minimum: 0,
    description: "The number of the hub's last frame that has arrived; 0 for none.",
  })
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must be at least 0' })
  @Max(Number.MAX_SAFE_INTEGER, { message: 'must be a whole number' })
  received: number;
}

export class ChannelEndDto {
  @ApiProperty({ description: 'The close code that a WebSocket would have ended with.' })
  code: number;

  @ApiProperty()
  reason: string;
}

export class PollAnswerDto {
  @ApiProperty({
    description: "The number of the first frame here. The hub's frames are numbered from 1, the welcome.",
  })
  first: number;

  @ApiProperty({
    type: [Object],
    description: 'What had not arrived, in order; empty where nothing came within 25 s.',
  })
  frames: object[];

  @ApiProperty({ description: "The number of the broker's last frame that was taken." })
  received: number;

  @ApiProperty({ type: ChannelEndDto, nullable: true, description: 'Once there is one, nothing follows.' })
  closed: ChannelEndDto | null;
}
