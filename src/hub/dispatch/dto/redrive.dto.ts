import { IsIn, IsInt, IsString, IsUUID, Length, Max, Min } from 'class-validator';
import { ApiProperty } from '../../http/described.js';
import { Omittable } from '../../http/omittable.js';

export const REDRIVABLE = ['dead', 'failed', 'expired', 'cancelled'] as const;
export type Redrivable = (typeof REDRIVABLE)[number];

export class RedriveDto {
  @ApiProperty({ enum: REDRIVABLE, required: false, default: 'dead' })
  @Omittable()
  @IsIn(REDRIVABLE)
  state: Redrivable = 'dead';

  @ApiProperty({ required: false, description: 'A broker by id or name.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  broker?: string;

  @ApiProperty({ required: false })
  @Omittable()
  @IsString()
  @Length(1, 128)
  op?: string;

  @ApiProperty({ required: false, format: 'uuid', description: 'Only commands older than this one.' })
  @Omittable()
  @IsUUID()
  before?: string;

  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 500, default: 100 })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(500)
  limit = 100;
}

export class RedrivenDto {
  @ApiProperty({ type: [Object], description: 'Each ended command, and the one that does it again.' })
  redriven: { from: string; to: string }[];

  @ApiProperty({ type: [Object], description: 'Those that could not be done again, each with the reason.' })
  refused: { id: string; code: string; detail: string }[];

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'uuid',
    description: 'Give it as `before` to go on; null where no older one fits.',
  })
  next: string | null;
}
