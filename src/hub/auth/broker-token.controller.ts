import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { Public } from './access.js';
import { AccessTokens } from './access-tokens.js';
import { Assertions } from './assertions.js';
import { LimitedByFailures } from './limits/limited.js';
import { RateLimiter } from './limits/rate-limiter.js';
import { BrokerTokenDto, BrokerTokenRequestDto } from './dto/broker-token.dto.js';

@ApiTags('brokers')
@Controller('api/v1/brokers/token')
export class BrokerTokenController {
  constructor(
    private readonly assertions: Assertions,
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
  async create(@Body() body: BrokerTokenRequestDto): Promise<BrokerTokenDto> {
    const { brokerId, jkt } = await this.assertions.redeem(body.client_assertion);
    await this.limiter.take('token', brokerId);
    const { token, expiresInS } = await this.tokens.mint(brokerId, jkt);
    return { access_token: token, token_type: 'DPoP', expires_in: expiresInS };
  }
}
