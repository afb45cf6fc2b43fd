import { IsUUID } from 'class-validator';
import { ApiProperty } from '../../http/described.js';

export class MintAgentTokenDto {
  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  agentId: string;

  @ApiProperty({ format: 'uuid', description: 'The run that the broker was told to start last.' })
  @IsUUID()
  runId: string;
}

export class AgentTokenDto {
  @ApiProperty({ description: 'What the agent shows as `Authorization: Bearer`.' })
  token: string;

  @ApiProperty({ type: 'integer', description: 'Seconds; not past the end of the run.' })
  expiresInS: number;
}
