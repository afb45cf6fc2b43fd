import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { Person } from './access.js';
import { Acting, type Actor } from './actor.js';
import { IdParams } from './dto/id.dto.js';
import {
  CreatedJoinTokenDto,
  CreateJoinTokenDto,
  JoinTokenDto,
  JoinTokenPageDto,
} from './dto/join-token.dto.js';
import { JoinTokens } from './join-tokens.js';
import { PageQuery, readPage } from '../http/page.js';

@ApiTags('join tokens')
@Person('admin')
@Controller('api/v1/join-tokens')
export class JoinTokenController {
  constructor(private readonly tokens: JoinTokens) {}

  @Post()
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: CreatedJoinTokenDto })
  async create(@Acting() actor: Actor, @Body() body: CreateJoinTokenDto): Promise<CreatedJoinTokenDto> {
    const { token, ...row } = await this.tokens.create(body, actor);
    return { ...JoinTokenDto.of(row), token };
  }

  @Get()
  @ApiOkResponse({ type: JoinTokenPageDto })
  async list(@Query() query: PageQuery): Promise<JoinTokenPageDto> {
    const { rows, nextCursor } = await readPage('join-tokens', query, (before, limit) =>
      this.tokens.list(before, limit),
    );
    return { items: rows.map((row) => JoinTokenDto.of(row)), nextCursor };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiNoContentResponse()
  async revoke(@Param() { id }: IdParams, @Acting() actor: Actor): Promise<void> {
    await this.tokens.revoke(id, actor);
  }
}
