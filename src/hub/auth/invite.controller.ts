import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { PageQuery, readPage } from '../http/page.js';
import { Person } from './access.js';
import { Acting, type Actor } from './actor.js';
import { IdParams } from './dto/id.dto.js';
import { InviteDto, InvitePageDto } from './dto/invite.dto.js';
import { Invites } from './invites.js';

/** What became of the invites that were made for users. */
@ApiTags('users')
@Person('admin')
@Controller('api/v1/invites')
export class InviteController {
  constructor(private readonly invites: Invites) {}

  @Get()
  @ApiOkResponse({ type: InvitePageDto, description: 'Newest first, and never what they are redeemed by.' })
  async list(@Query() query: PageQuery): Promise<InvitePageDto> {
    const { rows, nextCursor } = await readPage('invites', query, (before, limit) =>
      this.invites.list(before, limit),
    );
    return { items: rows.map((row) => InviteDto.of(row)), nextCursor };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'Nobody sets a password with it any more.' })
  async revoke(@Param() { id }: IdParams, @Acting() actor: Actor): Promise<void> {
    await this.invites.revoke(id, actor);
  }
}
