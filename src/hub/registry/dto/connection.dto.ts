import { ApiProperty } from '../../http/described.js';
import type { WayBack } from '../way-back.js';

export class ConnectionDto implements WayBack {
  @ApiProperty({ type: [String], description: 'Where the hub is dialled.' })
  urls: string[];

  @ApiProperty({ description: 'false for a broker that was revoked.' })
  isAdmitted: boolean;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'On its own machine, where its folder still is; null where it would not be admitted.',
  })
  start: string | null;

  @ApiProperty({
    type: [String],
    description:
      'Where its folder is lost, or it was revoked: commands, in order, by which another broker joins under its name. `broker join` ' +
      'takes the join token from `FAIRLEAD_JOIN_TOKEN` or `--token-file`.',
  })
  replace: string[];
}
