import { Controller, Get, Query } from '@nestjs/common';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { ListStraysQuery, StrayDto, StrayPageDto } from './dto/stray.dto.js';
import { Strays } from './strays.js';

@ApiTags('agents')
@InProject('viewer')
@Controller('api/v1/strays')
export class StrayController {
  constructor(private readonly strays: Strays) {}

  @Get()
  @ApiOkResponse({
    type: StrayPageDto,
    description: 'Newest first; of a broker that is away as it was last.',
  })
  async list(@Query() query: ListStraysQuery, @Scoped() scope: Scope): Promise<StrayPageDto> {
    const listName = `strays ${query.broker ?? ''} ${query.agent ?? ''} ${query.kind ?? ''}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.strays.list(before, query, limit, scope),
    );
    return { items: rows.map((row) => StrayDto.of(row)), nextCursor };
  }
}
