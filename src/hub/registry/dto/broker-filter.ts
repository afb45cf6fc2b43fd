import { createHash } from 'node:crypto';
import { ApiPropertyOptional } from '../../http/described.js';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsIn, IsString, Length, Matches } from 'class-validator';
import { Omittable } from '../../http/omittable.js';
import { PageQuery } from '../../http/page.js';
import type { BrokerFilter } from '../broker.repository.js';
import { PRESENCE_STATES, type PresenceState } from '../presence-state.js';
import { SERVICE_STATES, type ServiceState } from '../service-state.js';
import { parseVersion, VERSION } from '../version-floor.js';

const LABEL = /^([^=]{1,128})=(.{0,128})$/;
const LABELS_MOST = 8;

export class ListBrokersQuery extends PageQuery {
  @ApiPropertyOptional({
    type: [String],
    maxItems: LABELS_MOST,
    example: ['zone=eu'],
    description:
      'A label that the broker must have, as name=value. May be repeated: then it must have all of them.',
  })
  @Omittable()
  @Transform(({ value }) => (typeof value === 'string' ? [value] : (value as unknown)))
  @ArrayMaxSize(LABELS_MOST)
  @Matches(LABEL, { each: true, message: 'must be name=value' })
  label?: string[];

  @ApiPropertyOptional({ enum: PRESENCE_STATES })
  @Omittable()
  @IsIn(PRESENCE_STATES)
  presence?: PresenceState;

  @ApiPropertyOptional({
    pattern: VERSION.source,
    example: '1.10',
    description: 'MAJOR.MINOR of its software.',
  })
  @Omittable()
  @Matches(VERSION, { message: 'must be MAJOR.MINOR, such as 1.10' })
  version?: string;

  @ApiPropertyOptional({
    description: 'The replica that holds its connection, by id or name; `none` for those that nobody holds.',
  })
  @Omittable()
  @IsString()
  @Length(1, 253)
  owner?: string;

  @ApiPropertyOptional({ enum: SERVICE_STATES })
  @Omittable()
  @IsIn(SERVICE_STATES)
  service?: ServiceState;
}

/** @throws VersionMalformed */
export function filterOf(query: ListBrokersQuery): BrokerFilter {
  const { label = [], presence = null, version, owner = null, service = null } = query;
  const labels = label.map((text): [string, string] => {
    const [, name = '', value = ''] = LABEL.exec(text) ?? [];
    return [name, value];
  });
  return {
    labels: labels.length === 0 ? null : Object.fromEntries(labels),
    presence,
    version: version === undefined ? null : parseVersion(version),
    owner,
    service,
  };
}

/** What the cursors of a filtered list are bound to: the filter by its digest, since labels are long. */
export function listNameOf(list: string, filter: BrokerFilter): string {
  return `${list} ${createHash('sha256').update(JSON.stringify(filter)).digest('base64url')}`;
}
