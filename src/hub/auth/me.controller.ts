import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { Caller, Person } from './access.js';
import { MeDto } from './dto/me.dto.js';
import type { Principal } from './principal.js';

@ApiTags('auth')
@Person()
@Controller('api/v1/me')
export class MeController {
  @Get()
  @ApiOkResponse({ type: MeDto })
  get(@Caller() caller: Principal): MeDto {
    return MeDto.of(caller);
  }
}
