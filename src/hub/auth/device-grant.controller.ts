import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { Caller, Person, Public } from './access.js';
import { Acting, From, type Actor, type Origin } from './actor.js';
import { WebSessions } from './cookies/web-sessions.js';
import { DeviceGrants } from './device-grants.js';
import {
  BeginDeviceGrantDto,
  BegunDeviceGrantDto,
  DeviceCodeDto,
  DeviceGrantDto,
  UserCodeDto,
} from './dto/device-grant.dto.js';
import { CreatedPersonalTokenDto, PersonalTokenDto } from './dto/personal-token.dto.js';
import { addressKeyOf } from './limits/address-key.js';
import { LimitedByFailures } from './limits/limited.js';
import { RateLimiter } from './limits/rate-limiter.js';
import { DEVICE_PAGE } from './pages/paths.js';
import type { Principal } from './principal.js';

/** Codes are in bodies, and never in an address, which proxies and logs keep. */
@ApiTags('auth')
@Controller('api/v1/device-grants')
export class DeviceGrantController {
  constructor(
    private readonly grants: DeviceGrants,
    private readonly webSessions: WebSessions,
    private readonly limiter: RateLimiter,
  ) {}

  /** Public as a route: what it gives is good for nothing before a person has approved it. */
  @Post()
  @Public()
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: BegunDeviceGrantDto })
  async begin(@Body() { name }: BeginDeviceGrantDto, @From() origin: Origin): Promise<BegunDeviceGrantDto> {
    await this.limiter.take('login', addressKeyOf(origin.address));
    const begun = await this.grants.begin(name, origin);
    const verificationUri = `${this.webSessions.origin}${DEVICE_PAGE}`;
    return { ...begun, verificationUri, verificationUriComplete: `${verificationUri}#${begun.userCode}` };
  }

  /** Public as a route: the device code in the body is the credential. */
  @Post('redeem')
  @Public()
  @LimitedByFailures('login')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOkResponse({ type: CreatedPersonalTokenDto, description: 'A personal token of who approved it, once.' })
  async redeem(
    @Body() { deviceCode }: DeviceCodeDto,
    @From() origin: Origin,
  ): Promise<CreatedPersonalTokenDto> {
    const { token, ...row } = await this.grants.redeem(deviceCode, origin);
    return { ...PersonalTokenDto.of(row), token };
  }

  @Post('find')
  @Person()
  @LimitedByFailures('login')
  @HttpCode(200)
  @ApiOkResponse({ type: DeviceGrantDto, description: 'Who asks by this code.' })
  async find(@Body() { userCode }: UserCodeDto): Promise<DeviceGrantDto> {
    return DeviceGrantDto.of(await this.grants.find(userCode));
  }

  @Post('approve')
  @Person()
  @LimitedByFailures('login')
  @HttpCode(200)
  @ApiOkResponse({ type: DeviceGrantDto, description: 'The program is given a token of the caller.' })
  async approve(
    @Caller() caller: Principal,
    @Body() { userCode }: UserCodeDto,
    @Acting() actor: Actor,
  ): Promise<DeviceGrantDto> {
    return DeviceGrantDto.of(await this.grants.answer(userCode, 'approved', caller, actor));
  }

  @Post('deny')
  @Person()
  @LimitedByFailures('login')
  @HttpCode(200)
  @ApiOkResponse({ type: DeviceGrantDto, description: 'The program is told so, and given nothing.' })
  async deny(
    @Caller() caller: Principal,
    @Body() { userCode }: UserCodeDto,
    @Acting() actor: Actor,
  ): Promise<DeviceGrantDto> {
    return DeviceGrantDto.of(await this.grants.answer(userCode, 'denied', caller, actor));
  }
}
