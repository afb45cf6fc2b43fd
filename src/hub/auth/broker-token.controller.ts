import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { Public } from './access.js';
import { AccessTokens } from './access-tokens.js';
import { From, type Origin } from './actor.js';
import { BrokerKeyRotation } from './broker-key-rotation.js';
import { LimitedByFailures } from './limits/limited.js';
import { RateLimiter } from './limits/rate-limiter.js';
import { BrokerTokenDto, BrokerTokenRequestDto } from './dto/broker-token.dto.js';

@ApiTags('brokers')
@Controller('api/v1/brokers/token')
export class BrokerTokenController {
  constructor(
    private readonly rotation: BrokerKeyRotation,
    private readonly tokens: AccessTokens,
    private readonly limiter: RateLimiter,
  ) {}

  /** Public, since the assertion is the credential. */
  @Public()
  @Post()
  @LimitedByFailures('token')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOkResponse({ type: BrokerTokenDto })
  async create(@Body() body: BrokerTokenRequestDto, @From() origin: Origin): Promise<BrokerTokenDto> {
    const { brokerId, jkt } = await this.rotation.redeem(body.client_assertion, origin);
    await this.limiter.take('token', brokerId);
    const { token, expiresInS } = await this.tokens.mint(brokerId, jkt);
    return { access_token: token, token_type: 'DPoP', expires_in: expiresInS, key_confirmed: true };
  }
}
