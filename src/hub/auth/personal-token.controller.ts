import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { Caller, Person } from './access.js';
import { IdParams } from './dto/id.dto.js';
import {
  CreatedPersonalTokenDto,
  CreatePersonalTokenDto,
  PersonalTokenDto,
  PersonalTokenPageDto,
} from './dto/personal-token.dto.js';
import { PageQuery, readPage } from '../http/page.js';
import { PersonalTokens } from './personal-tokens.js';
import type { Principal } from './principal.js';

/** The caller's own tokens; nobody sees those of another. */
@ApiTags('auth')
@Person()
@Controller('api/v1/tokens')
export class PersonalTokenController {
  constructor(private readonly tokens: PersonalTokens) {}

  @Post()
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: CreatedPersonalTokenDto })
  async create(
    @Caller() { userId }: Principal,
    @Body() body: CreatePersonalTokenDto,
  ): Promise<CreatedPersonalTokenDto> {
    const { token, ...row } = await this.tokens.create(userId, body);
    return { ...PersonalTokenDto.of(row), token };
  }

  @Get()
  @ApiOkResponse({ type: PersonalTokenPageDto })
  async list(@Caller() { userId }: Principal, @Query() query: PageQuery): Promise<PersonalTokenPageDto> {
    const { rows, nextCursor } = await readPage('tokens', query, (before, limit) =>
      this.tokens.list(userId, before, limit),
    );
    return { items: rows.map((row) => PersonalTokenDto.of(row)), nextCursor };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiNoContentResponse()
  async revoke(@Caller() { userId }: Principal, @Param() { id }: IdParams): Promise<void> {
    await this.tokens.revoke(id, userId);
  }
}
