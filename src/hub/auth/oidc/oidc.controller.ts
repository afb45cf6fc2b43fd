import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import { IsIn } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiOkResponse, ApiProperty, ApiPropertyOptional, ApiTags } from '../../http/described.js';
import { Public } from '../access.js';
import { From, type Origin } from '../actor.js';
import { SignInNotBegun } from '../auth.errors.js';
import { readCookie, writeCookie, type Cookie } from '../cookies/cookie.js';
import { SealedCookies } from '../cookies/sealed-cookies.js';
import { WebSessions } from '../cookies/web-sessions.js';
import { Omittable } from '../../http/omittable.js';
import { LimitedByFailures } from '../limits/limited.js';
import { DEVICE_PAGE, SIGNED_IN_PAGE } from '../pages/paths.js';
import { OidcSignIns } from './oidc-sign-ins.js';
import { Provider, type Begun } from './provider.js';

const PATH = '/api/v1/oidc';
const CALLBACK = `${PATH}/callback`;
const PURPOSE = 'sign-in by OpenID';
const LIVES_S = 600;
/** Lax: it must come back with the browser, which the provider has sent. */
const COOKIE: Cookie = { name: 'fairlead-oidc', path: PATH, sameSite: 'Lax' };
/** Pages that somebody may be sent to afterwards; nothing of a request is ever taken for an address. */
const RETURNS = { device: DEVICE_PAGE, done: SIGNED_IN_PAGE } as const;

type Kept = Omit<Begun, 'url'> & { redirectUri: string; to: keyof typeof RETURNS };

export class BeginOidcQuery {
  @ApiPropertyOptional({
    enum: Object.keys(RETURNS),
    default: 'done',
    description: 'Which page comes afterwards.',
  })
  @Omittable()
  @IsIn(Object.keys(RETURNS))
  to: keyof typeof RETURNS = 'done';
}

export class OidcDto {
  @ApiProperty({ description: 'Whether one can sign in here by OpenID Connect.' })
  isServed: boolean;
}

/** Signing in by the organisation's OpenID provider, for browsers: it ends in a cookie. */
@ApiTags('auth')
@Controller('api/v1/oidc')
export class OidcController {
  constructor(
    private readonly provider: Provider,
    private readonly signIns: OidcSignIns,
    private readonly webSessions: WebSessions,
    private readonly cookies: SealedCookies,
  ) {}

  /** What a page offers before anybody has signed in. */
  @Get()
  @Public()
  @ApiOkResponse({ type: OidcDto })
  get(): OidcDto {
    return { isServed: this.provider.isServed };
  }

  /** Public as a route: it sends a browser to the provider, and gives nothing else. */
  @Get('begin')
  @Public()
  async begin(@Query() { to }: BeginOidcQuery, @Res() reply: FastifyReply): Promise<void> {
    const redirectUri = `${this.webSessions.origin}${CALLBACK}`;
    const { url, ...begun } = await this.provider.begin(redirectUri);
    const kept: Kept = { ...begun, redirectUri, to };
    const sealed = this.cookies.seal(PURPOSE, kept, LIVES_S);
    await reply
      .header('set-cookie', writeCookie(COOKIE, sealed, LIVES_S, this.webSessions.isSecure))
      .header('cache-control', 'no-store')
      .redirect(url.href, 302);
  }

  /** Public as a route: the code from the provider is the credential, and the cookie says that this browser has asked for it. */
  @Get('callback')
  @Public()
  @LimitedByFailures('login')
  async callback(
    @Req() request: FastifyRequest,
    @From() origin: Origin,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const shown = readCookie(request.headers.cookie, COOKIE.name);
    const kept = shown === undefined ? undefined : this.cookies.open<Kept>(PURPOSE, shown);
    if (kept === undefined) throw new SignInNotBegun();
    const returned = new URL(kept.redirectUri);
    returned.search = new URL(request.url, kept.redirectUri).search;
    const sessionId = await this.signIns.signIn(await this.provider.finish(returned, kept), origin);
    this.webSessions.give(reply, sessionId);
    await reply
      .header('set-cookie', writeCookie(COOKIE, '', 0, this.webSessions.isSecure))
      .header('cache-control', 'no-store')
      .redirect(RETURNS[kept.to], 303);
  }
}
