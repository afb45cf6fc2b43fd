import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { PageQuery, readPage } from '../http/page.js';
import { Caller, Person, Public } from './access.js';
import { Acting, From, type Actor, type Origin } from './actor.js';
import { Forbidden } from './auth.errors.js';
import { IdParams } from './dto/id.dto.js';
import {
  ChangePasswordDto,
  RedeemInviteDto,
  RefreshDto,
  SessionDto,
  SessionPageDto,
  SignedInDto,
  SignInDto,
} from './dto/session.dto.js';
import type { Principal } from './principal.js';
import { Sessions } from './sessions.js';
import { LimitedByFailures } from './limits/limited.js';
import { SignIns } from './sign-ins.js';

@ApiTags('auth')
@Controller('api/v1')
export class SessionController {
  constructor(
    private readonly signIns: SignIns,
    private readonly sessions: Sessions,
  ) {}

  /** Public as a route: the password in the body is the credential. */
  @Post('sessions')
  @Public()
  @LimitedByFailures('login')
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: SignedInDto })
  async signIn(@Body() { user, password }: SignInDto, @From() origin: Origin): Promise<SignedInDto> {
    return SignedInDto.of(await this.signIns.byPassword(user, password, origin));
  }

  /** Public as a route: the refresh token in the body is the credential. */
  @Post('sessions/refresh')
  @Public()
  @LimitedByFailures('login')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOkResponse({ type: SignedInDto })
  async refresh(@Body() { refreshToken }: RefreshDto, @From() origin: Origin): Promise<SignedInDto> {
    return SignedInDto.of(await this.sessions.refresh(refreshToken, origin));
  }

  /** Public as a route: the invite in the body is the credential. */
  @Post('invites/redeem')
  @Public()
  @LimitedByFailures('login')
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: SignedInDto })
  async redeem(@Body() { token, password }: RedeemInviteDto, @From() origin: Origin): Promise<SignedInDto> {
    return SignedInDto.of(await this.signIns.redeem(token, password, origin));
  }

  @Get('sessions')
  @Person()
  @ApiOkResponse({ type: SessionPageDto, description: "The caller's own that go on, newest first." })
  async list(
    @Caller() { userId, credentialId }: Principal,
    @Query() query: PageQuery,
  ): Promise<SessionPageDto> {
    const { rows, nextCursor } = await readPage('sessions', query, (before, limit) =>
      this.sessions.list(userId, before, limit),
    );
    return { items: rows.map((row) => SessionDto.of(row, credentialId)), nextCursor };
  }

  @Delete('sessions')
  @Person()
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'All sessions of the caller have ended, everywhere within a second.' })
  async endAll(@Caller() { userId, isLimited }: Principal, @Acting() actor: Actor): Promise<void> {
    if (isLimited) throw new Forbidden();
    await this.sessions.endAll(userId, actor);
  }

  @Delete('sessions/:id')
  @Person()
  @HttpCode(204)
  @ApiNoContentResponse()
  async end(
    @Caller() { userId, isLimited }: Principal,
    @Param() { id }: IdParams,
    @Acting() actor: Actor,
  ): Promise<void> {
    if (isLimited) throw new Forbidden();
    await this.sessions.end(id, userId, actor);
  }

  @Put('me/password')
  @Person()
  @LimitedByFailures('login')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'It is set, and the other sessions of the caller have ended.' })
  async changePassword(
    @Caller() caller: Principal,
    @Body() { current, password }: ChangePasswordDto,
    @Acting() actor: Actor,
  ): Promise<void> {
    await this.signIns.changePassword(caller, current, password, actor);
  }
}
