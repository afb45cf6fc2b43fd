import { Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { Person, Public } from './access.js';
import { Acting, type Actor } from './actor.js';
import { JwksDto, SigningKeyDto, SigningKeysDto } from './dto/signing-key.dto.js';
import { SigningKeyRotation } from './signing-key-rotation.js';
import { SigningKeys } from './signing-keys.js';

@ApiTags('signing keys')
@Controller()
export class SigningKeyController {
  constructor(
    private readonly keys: SigningKeys,
    private readonly rotation: SigningKeyRotation,
  ) {}

  /** Public keys are for everybody. Read from memory, so that asking for them costs the database nothing. */
  @Public()
  @Get('.well-known/jwks.json')
  @Header('cache-control', 'public, max-age=60')
  @ApiOkResponse({
    type: JwksDto,
    description: 'The keys that sign what the hub mints, or did so within the last hour (RFC 7517).',
  })
  async published(): Promise<JwksDto> {
    return { keys: (await this.keys.published()).map((each) => JwksDto.keyOf(each)) };
  }

  @Get('api/v1/signing-keys')
  @Person('admin')
  @ApiOkResponse({
    type: SigningKeysDto,
    description: 'Newest first; those that nobody takes any more are left out.',
  })
  async list(): Promise<SigningKeysDto> {
    return { items: (await this.rotation.list()).map((row) => SigningKeyDto.of(row)) };
  }

  @Post('api/v1/signing-keys/rotate')
  @Person('admin')
  @HttpCode(200)
  @ApiOkResponse({
    type: SigningKeyDto,
    description: 'The key that signs from now on. What was signed by those before is taken until it ends.',
  })
  async rotate(@Acting() actor: Actor): Promise<SigningKeyDto> {
    return SigningKeyDto.of(await this.rotation.rotate(actor));
  }
}
