import { IsUUID } from 'class-validator';
import { ApiProperty } from '../../http/described.js';

export class IdParams {
  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  id: string;
}
