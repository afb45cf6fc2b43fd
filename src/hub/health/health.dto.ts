import type { Pooler } from '../config/environment.js';
import type { Standby } from '../database/standby.js';
import { ApiProperty } from '../http/described.js';
import type { LoopReport } from '../lifecycle/loop.js';

export class LiveDto {
  @ApiProperty({ enum: ['ok', 'unready'] })
  status: 'ok' | 'unready';
}

export class HealthDto {
  @ApiProperty({ enum: ['ok', 'impaired', 'draining'] })
  status: 'ok' | 'impaired' | 'draining';

  @ApiProperty({ type: Object })
  replica: { id: string; state: string; mayAct: boolean; software: string };

  @ApiProperty({
    type: Object,
    description:
      'What this replica works on, what its pool leads through, and whether a synchronous standby has what was accepted: ' +
      '`present`, `away`, `none`, `not_awaited`, `not_visible`, `embedded` or `not_known`, with a sentence that says what that means. ' +
      'That there is none makes nobody impaired.',
  })
  database: {
    reachable: boolean;
    embedded: boolean;
    pooler: Pooler;
    standby: Standby;
    aboutStandby: string;
  };

  @ApiProperty({
    type: Object,
    description:
      'How wakes travel between replicas. `rung`: by NOTIFY, or found by polls while nothing is heard; `listens` is ' +
      'false where a pooler forbids LISTEN, and polls alone carry the work.',
  })
  wakes: {
    rung: 'notify' | 'poll';
    listens: boolean;
    healthy: boolean;
    reconnects: number;
    canaryDelayMs: number | null;
  };

  @ApiProperty({
    type: Object,
    description:
      'Where the other replicas find this one, whether it finds itself there, and to how many of them it has a link.',
  })
  peers: { address: string | null; reachesItself: boolean | null; links: number };

  @ApiProperty({ type: Object })
  brokers: { connected: number };

  @ApiProperty({ type: Object, description: 'Live commands: of the hub by state, and in memory here.' })
  dispatches: {
    rows: { state: string; count: number; oldestS: number; stuck: number }[] | null;
    here: { waiting: number; unacked: number; out: number; notStored: number };
  };

  @ApiProperty({ type: [Object], description: 'Background loops, with the age of their last progress.' })
  loops: LoopReport[];
}
