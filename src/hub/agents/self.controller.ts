import { Controller, Get, Query } from '@nestjs/common';
import { EVERYWHERE } from '../auth/scope.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { PageQuery, readPage } from '../http/page.js';
import { CallingAgent, OfAgents } from './agent.guard.js';
import type { AgentRow } from './agent.repository.js';
import { AgentDto } from './dto/agent.dto.js';
import { MessageDto, MessagePageDto } from './dto/message.dto.js';
import { Messages } from './messages.js';

/** What an agent may ask of itself. No route takes an id: there is none that it could ask for in place of its own. */
@ApiTags('self')
@OfAgents()
@Controller('api/v1/self')
export class SelfController {
  constructor(private readonly messages: Messages) {}

  @Get()
  @ApiOkResponse({ type: AgentDto, description: 'The agent whose credential is shown.' })
  get(@CallingAgent() agent: AgentRow): AgentDto {
    return AgentDto.of(agent);
  }

  /** Its inbox: what was sent to it, newest first, and what came of that. */
  @Get('messages')
  @ApiOkResponse({ type: MessagePageDto })
  async list(@CallingAgent() agent: AgentRow, @Query() query: PageQuery): Promise<MessagePageDto> {
    const { rows, nextCursor } = await readPage(`inbox ${agent.id}`, query, (before, limit) =>
      this.messages.list(agent, before, limit, EVERYWHERE),
    );
    return { items: rows.map((record) => MessageDto.of(record)), nextCursor };
  }
}
