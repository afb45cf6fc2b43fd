import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { Person } from './access.js';
import { Audit } from './audit.js';
import { AuditDto, AuditPageDto, ListAuditQuery } from './dto/audit.dto.js';

@ApiTags('audit')
@Person('admin')
@Controller('api/v1/audit')
export class AuditController {
  constructor(private readonly audit: Audit) {}

  @Get()
  @ApiOkResponse({ type: AuditPageDto, description: 'Newest first.' })
  async list(@Query() query: ListAuditQuery): Promise<AuditPageDto> {
    const { act = null, actor = null, subject = null, outcome = null } = query;
    const filter = { act, actorId: actor, subjectId: subject, outcome };
    const listName = `audit ${Object.values(filter).join(' ')}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.audit.list(before, filter, limit),
    );
    return { items: rows.map((row) => AuditDto.of(row)), nextCursor };
  }
}
