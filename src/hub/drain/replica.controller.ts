import { Controller, Get } from '@nestjs/common';
import { Person } from '../auth/access.js';
import { Replica } from '../cluster/replica.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { ReplicaDto, ReplicaPageDto } from './dto/replica.dto.js';

@ApiTags('replicas')
@Controller('api/v1/replicas')
export class ReplicaController {
  constructor(private readonly replica: Replica) {}

  /** Live replicas, and those that were gone within the last day; at most 200, so there is one page. */
  @Get()
  @Person()
  @ApiOkResponse({ type: ReplicaPageDto })
  async list(): Promise<ReplicaPageDto> {
    return { items: (await this.replica.list()).map((row) => ReplicaDto.of(row)), nextCursor: null };
  }
}
