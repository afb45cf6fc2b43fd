import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsObject,
  IsString,
  Length,
  ValidateNested,
} from 'class-validator';
import { ApiProperty } from '../../http/described.js';
import type { Problem } from '../../problems/code.js';
import { CreateDispatchDto, DispatchDto } from './dispatch.dto.js';

export const BATCH_MOST = 1_000;

export class BatchItemDto extends CreateDispatchDto {
  @ApiProperty({ description: 'A broker by id or name.' })
  @IsString()
  @Length(1, 64)
  broker: string;
}

export class CreateBatchDto {
  @ApiProperty({ type: [BatchItemDto], minItems: 1, maxItems: BATCH_MOST })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(BATCH_MOST)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => BatchItemDto)
  items: BatchItemDto[];
}

export class BatchOutcomeDto {
  @ApiProperty({ type: DispatchDto, nullable: true, description: 'null where it was refused.' })
  dispatch: DispatchDto | null;

  @ApiProperty({
    type: Object,
    nullable: true,
    description:
      'Why it was refused: code, title, detail, status; and `retryAfterS` where one alone would be told `Retry-After`, ' +
      'which is in so many seconds.',
  })
  problem:
    (Pick<Problem, 'code' | 'title' | 'detail' | 'remedy' | 'status'> & { retryAfterS?: number }) | null;
}

export class BatchDto {
  @ApiProperty({ type: [BatchOutcomeDto], description: 'One for each item, in the order of the request.' })
  items: BatchOutcomeDto[];

  @ApiProperty({ type: 'integer' })
  accepted: number;

  @ApiProperty({ type: 'integer' })
  refused: number;
}
