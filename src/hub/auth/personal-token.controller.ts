import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { Caller, Person } from './access.js';
import { Acting, type Actor } from './actor.js';
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
    @Caller() caller: Principal,
    @Body() body: CreatePersonalTokenDto,
    @Acting() actor: Actor,
  ): Promise<CreatedPersonalTokenDto> {
    const options = CreatePersonalTokenDto.toOptions(body);
    const { token, ...row } = await this.tokens.createOwn(caller, options, actor);
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
  async revoke(
    @Caller() caller: Principal,
    @Param() { id }: IdParams,
    @Acting() actor: Actor,
  ): Promise<void> {
    await this.tokens.revokeOwn(id, caller, actor);
  }
}
