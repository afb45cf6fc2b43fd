import { Body, Controller, Header, Headers, HttpCode, Post } from '@nestjs/common';
import { ROTATE_KEY_PATH } from '../../protocol/version.js';
import { ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { Public } from './access.js';
import { From, type Origin } from './actor.js';
import { BrokerKeyRotation } from './broker-key-rotation.js';
import { BrokerKeyBegunDto, RotateBrokerKeyDto } from './dto/broker-key.dto.js';
import { LimitedByFailures } from './limits/limited.js';
import { RateLimiter } from './limits/rate-limiter.js';

@ApiTags('brokers')
@Controller(ROTATE_KEY_PATH)
export class BrokerKeyController {
  constructor(
    private readonly rotation: BrokerKeyRotation,
    private readonly limiter: RateLimiter,
  ) {}

  /** Public, since the assertion is the credential. */
  @Public()
  @Post()
  @LimitedByFailures('token')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiHeader({
    name: 'DPoP',
    required: true,
    description: 'A proof of the new key for this request (RFC 9449), with the assertion in `ath`.',
  })
  @ApiOkResponse({
    type: BrokerKeyBegunDto,
    description:
      'Both keys are good. The first access token that the new one is exchanged for ends the one before; where none is asked for in ' +
      'time, the new one lapses. Safe to repeat.',
  })
  async begin(
    @Body() body: RotateBrokerKeyDto,
    @From() origin: Origin,
    @Headers('dpop') proof?: string,
  ): Promise<BrokerKeyBegunDto> {
    const admit = (brokerId: string) => this.limiter.take('token', brokerId);
    const { thumbprint, confirmBy } = await this.rotation.begin({ ...body, proof }, origin, admit);
    return { thumbprint, confirmBy: confirmBy.toISOString() };
  }
}
