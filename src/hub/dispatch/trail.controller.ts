import { Controller, Get, Query } from '@nestjs/common';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { CodedError } from '../problems/coded.error.js';
import { Brokers } from '../registry/brokers.js';
import { ListTrailsDto, TrailListDto } from './dto/trail.dto.js';
import { Trails, type TrailFilter } from './trails.js';

/** Whole trails, many at a time: what `fairlead verify` reads. */
@ApiTags('dispatches')
@Controller('api/v1/trails')
export class TrailController {
  constructor(
    private readonly trails: Trails,
    private readonly brokers: Brokers,
  ) {}

  @Get()
  @InProject('viewer')
  @ApiOkResponse({ type: TrailListDto, description: 'Oldest first, by id.' })
  async list(@Query() query: ListTrailsDto, @Scoped() scope: Scope): Promise<TrailListDto> {
    const { since, until, broker } = query;
    const filter: TrailFilter = {
      sinceMs: msOf('since', since),
      untilMs: msOf('until', until),
      brokerId: broker === undefined ? null : await this.brokers.within(scope, broker),
    };
    const { rows, nextCursor } = await readPage(`trails ${JSON.stringify(filter)}`, query, (after, limit) =>
      this.trails.list(filter, after, limit, scope),
    );
    return { items: rows, nextCursor };
  }
}

/** @throws CodedError for what has the form of a time and is none, such as the second 60 */
function msOf(path: string, time: string | undefined): number | null {
  if (time === undefined) return null;
  const ms = Date.parse(time);
  if (Number.isFinite(ms)) return ms;
  throw new CodedError('request_invalid', undefined, {
    fields: [{ path, rule: 'must be a time that exists' }],
  });
}
