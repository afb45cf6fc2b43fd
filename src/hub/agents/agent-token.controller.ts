import { Body, Controller, Header, Headers, HttpCode, Post } from '@nestjs/common';
import { AGENT_TOKENS_PATH } from '../../protocol/version.js';
import { Public } from '../auth/access.js';
import { ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { Admission, type Credential } from '../registry/admission.js';
import { AgentCredentials } from './agent-credentials.js';
import { AgentTokenDto, MintAgentTokenDto } from './dto/agent-token.dto.js';

@ApiTags('brokers')
@Controller(AGENT_TOKENS_PATH)
export class AgentTokenController {
  constructor(
    private readonly admission: Admission,
    private readonly credentials: AgentCredentials,
  ) {}

  /**
   * What an agent shows of itself, for the broker that it is placed on. Authenticated as the control channel is: by the access
   * token of the broker, and a proof of its key.
   */
  @Public()
  @Post()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiHeader({ name: 'DPoP', required: true, description: 'A proof of the key for this request (RFC 9449).' })
  @ApiOkResponse({ type: AgentTokenDto })
  async mint(@Headers() credential: Credential, @Body() run: MintAgentTokenDto): Promise<AgentTokenDto> {
    const brokerId = await this.admission.callerOf('POST', AGENT_TOKENS_PATH, credential, 'agent_token');
    const [agentId, runId] = [run.agentId.toLowerCase(), run.runId.toLowerCase()];
    return this.credentials.mint(brokerId, { agentId, runId });
  }
}
