/** Which brokers a list is to have. */
import { Option, type Command } from 'commander';
import type { ListBrokersQuery } from '../../hub/registry/dto/broker-filter.js';
import type { Ask } from '../api/client.js';
import { each } from '../input/pairs.js';

const PRESENCES = ['online', 'degraded', 'unreachable', 'offline'] as const satisfies NonNullable<
  ListBrokersQuery['presence']
>[];
const SERVICES = ['open', 'cordoned', 'draining', 'drained'] as const satisfies NonNullable<
  ListBrokersQuery['service']
>[];

export type BrokerFilterOptions = {
  label?: string[];
  presence?: (typeof PRESENCES)[number];
  brokerVersion?: string;
  owner?: string;
  service?: (typeof SERVICES)[number];
};

export function filtersBrokers(command: Command): Command {
  return command
    .option('--label <name=value>', 'only those with this label; may be repeated', each)
    .addOption(new Option('--presence <state>', 'only those whose presence is').choices(PRESENCES))
    .option('--broker-version <version>', 'only those of this version, as MAJOR.MINOR')
    .option(
      '--owner <replica>',
      'only those that this replica holds, by id or name; none for those nobody holds',
    )
    .addOption(
      new Option('--service <state>', 'only those that are so far in or out of service').choices(SERVICES),
    );
}

export function filterQuery(options: BrokerFilterOptions): NonNullable<Ask['query']> {
  const { label, presence, brokerVersion: version, owner, service } = options;
  return { label, presence, version, owner, service };
}
