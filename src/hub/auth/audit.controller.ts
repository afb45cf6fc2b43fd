import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { Person } from './access.js';
import { AuditChaining } from './audit-chaining.js';
import { Audit } from './audit.js';
import { AuditExportDto, AuditLinkDto, ExportAuditQuery } from './dto/audit-export.dto.js';
import { AuditDto, AuditPageDto, ListAuditQuery } from './dto/audit.dto.js';

@ApiTags('audit')
@Person('admin')
@Controller('api/v1/audit')
export class AuditController {
  constructor(
    private readonly audit: Audit,
    private readonly chaining: AuditChaining,
  ) {}

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

  /** Every row with its place in the chain, oldest first: what `fairlead audit verify` checks. */
  @Get('export')
  @ApiOkResponse({ type: AuditExportDto })
  async export(@Query() { after, limit }: ExportAuditQuery): Promise<AuditExportDto> {
    const { links, unlinked, hasMore } = await this.chaining.export(after, limit);
    const items = [
      ...links.map((link) => AuditLinkDto.of(link)),
      ...unlinked.map((row) => AuditLinkDto.ofUnlinked(row)),
    ];
    return { items, nextAfter: hasMore ? (links.at(-1)?.position ?? null) : null };
  }
}
