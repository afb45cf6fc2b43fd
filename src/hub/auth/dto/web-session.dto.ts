import { ApiProperty } from '../../http/described.js';

export class WebSessionDto {
  @ApiProperty({ format: 'uuid' })
  sessionId: string;

  @ApiProperty({
    description: 'To be sent as `X-CSRF-Token` with whatever changes something by the cookie.',
  })
  csrfToken: string;
}
