import { Body, Controller, Delete, Get, Header, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '../../http/described.js';
import { NotFound } from '../../problems/coded.error.js';
import { Caller, Person, Public } from '../access.js';
import { Acting, From, type Actor, type Origin } from '../actor.js';
import { SignInDto } from '../dto/session.dto.js';
import { WebSessionDto } from '../dto/web-session.dto.js';
import { LimitedByFailures } from '../limits/limited.js';
import type { Principal } from '../principal.js';
import { Sessions } from '../sessions.js';
import { SignIns } from '../sign-ins.js';
import { WebSessions } from './web-sessions.js';

/** For pages of the hub: the session is in a cookie, which no script sees. */
@ApiTags('auth')
@Controller('api/v1/web-sessions')
export class WebSessionController {
  constructor(
    private readonly signIns: SignIns,
    private readonly sessions: Sessions,
    private readonly webSessions: WebSessions,
  ) {}

  /** Public as a route: the password in the body is the credential. Only for pages of the hub's own origin. */
  @Post()
  @Public()
  @LimitedByFailures('login')
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: WebSessionDto })
  async begin(
    @Req() request: FastifyRequest,
    @Body() { user, password }: SignInDto,
    @From() origin: Origin,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WebSessionDto> {
    this.webSessions.requireOwnOrigin(request);
    const sessionId = await this.signIns.byPasswordInBrowser(user, password, origin);
    return { sessionId, csrfToken: this.webSessions.give(reply, sessionId) };
  }

  @Get('current')
  @Person()
  @Header('cache-control', 'no-store')
  @ApiOkResponse({ type: WebSessionDto })
  current(@Req() request: FastifyRequest, @Caller() { credentialId }: Principal): WebSessionDto {
    if (request.isByCookie !== true) throw new NotFound('session');
    return { sessionId: credentialId, csrfToken: this.webSessions.csrfTokenOf(request) };
  }

  @Delete('current')
  @Person()
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'It has ended, everywhere within a second.' })
  async end(
    @Req() request: FastifyRequest,
    @Caller() { userId, credentialId }: Principal,
    @Acting() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    if (request.isByCookie !== true) throw new NotFound('session');
    await this.sessions.end(credentialId, userId, actor);
    this.webSessions.forget(reply);
  }
}
