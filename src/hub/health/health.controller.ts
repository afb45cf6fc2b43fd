import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Person, Public } from '../auth/access.js';
import { ApiOkResponse, ApiProduces, ApiTags } from '../http/described.js';
import { HealthDto, LiveDto } from './health.dto.js';
import { Health } from './health.js';
import { Metrics } from './metrics.js';

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly health: Health,
    private readonly metrics: Metrics,
  ) {}

  /** The process runs and answers. */
  @Get('livez')
  @Public()
  @Header('cache-control', 'no-store')
  @ApiOkResponse({ type: LiveDto })
  live(): LiveDto {
    return { status: 'ok' };
  }

  /** 200 while requests should be routed here, else 503. */
  @Get('readyz')
  @Public()
  @Header('cache-control', 'no-store')
  @ApiOkResponse({ type: LiveDto })
  ready(@Res({ passthrough: true }) reply: FastifyReply): LiveDto {
    if (this.health.isReady) return { status: 'ok' };
    void reply.status(503);
    return { status: 'unready' };
  }

  /** How each part of this replica is. Tells of the inside, so it asks who is calling. */
  @Get('health')
  @Person()
  @Header('cache-control', 'no-store')
  @ApiOkResponse({ type: HealthDto })
  async report(): Promise<HealthDto> {
    return this.health.report();
  }

  /** Plain text of Prometheus, or OpenMetrics, with exemplars, where the request asks for it. */
  @Get('metrics')
  @Person('admin')
  @ApiProduces('text/plain', 'application/openmetrics-text')
  async scrape(
    @Req() { headers }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { contentType, text } = await this.metrics.scrape(headers.accept);
    void reply.type(contentType);
    return text;
  }
}
