import type { Command } from 'commander';
import type { ReplicaDto } from '../../hub/drain/dto/replica.dto.js';
import type { BrokerDto } from '../../hub/registry/dto/broker.dto.js';
import type { Ask, Client } from '../api/client.js';
import { ONCE } from '../api/retry.js';
import type { Cli } from '../cli.js';
import { Fault } from '../fault.js';
import type { Invocation } from '../invocation.js';
import { asksHub, examples } from '../options.js';
import { printable } from '../output/printable.js';
import { SOFTWARE } from '../software.js';

type Page<R> = { items: R[]; nextCursor: string | null };
type BrokerVersion = { name: string; software: string };

/** Null for what is not known. */
type Versions = { cli: string; hub: string[] | null; brokers: BrokerVersion[] | null };

const PAGE = 500;
/** More names than this say less than their number does. */
const NAMED = 5;

export function addVersion(program: Command, cli: Cli): void {
  asksHub(program.command('version'))
    .description(
      'the versions of this command, and of the hub and its connected brokers where they are known',
    )
    .addHelpText('after', examples('version', 'version --json'))
    .action(
      cli.action(async (run) => {
        const versions = await versionsOf(run);
        run.printer.data(versions, () => linesOf(versions));
        for (const difference of differences(versions)) run.printer.warn(difference);
      }),
    );
}

/** That no hub is known or that it does not tell is no failure here. */
async function versionsOf(run: Invocation<object>): Promise<Versions> {
  const versions: Versions = { cli: SOFTWARE, hub: null, brokers: null };
  try {
    const hub = await run.hub();
    versions.hub = await run.spin('asking the hub', () => softwareOfHub(hub));
    versions.brokers = await run.spin('asking the hub', () => softwareOfBrokers(hub));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.document.code !== 'not_logged_in') {
      const whose = versions.hub === null ? "The hub's version is" : 'The versions of the brokers are';
      run.printer.note(`${whose} not known: ${error.message}`);
    }
  }
  return versions;
}

async function softwareOfHub(hub: Client): Promise<string[]> {
  const { items } = await hub.ask<Page<ReplicaDto>>(askFor('/replicas'));
  return distinct(items.filter(({ state }) => state !== 'gone').map(({ software }) => software));
}

/** Of those that are connected: what the others told last may be years old. */
async function softwareOfBrokers(hub: Client): Promise<BrokerVersion[]> {
  const found: BrokerVersion[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: Page<BrokerDto> = await hub.ask(askFor('/brokers', { limit: PAGE, cursor }));
    for (const { name, software, ownership } of page.items) {
      if (typeof ownership?.replica === 'string') found.push({ name, software });
    }
    cursor = page.nextCursor;
  }
  return found;
}

function askFor(path: string, query: Ask['query'] = {}): Ask {
  return { method: 'GET', path, query, patience: ONCE };
}

function linesOf({ cli, hub, brokers }: Versions): string[] {
  const versions = distinct((brokers ?? []).map(({ software }) => software)).map((version) => {
    const count = brokers?.filter(({ software }) => software === version).length ?? 0;
    return `${version} (${count})`;
  });
  return [
    `fairlead ${cli}`,
    ...(hub === null ? [] : [`hub ${hub.join(', ')}`]),
    ...(versions.length === 0 ? [] : [`brokers ${versions.join(', ')}`]),
  ].map(printable);
}

/** What runs another version than what it works with; each with the sentence that says so. */
function differences({ cli, hub, brokers }: Versions): string[] {
  if (hub === null || hub.length === 0) return [];
  const others = hub.filter((version) => version !== cli);
  const apart = (brokers ?? []).filter(({ software }) => !hub.includes(software));
  return [
    ...(others.length === 0 ? [] : [`this command is ${cli}, and the hub runs ${others.join(', ')}`]),
    ...(hub.length === 1 ? [] : [`the replicas of the hub differ: ${hub.join(', ')}`]),
    ...(apart.length === 0 ? [] : [`the hub runs ${hub.join(', ')}, and ${namesOf(apart)}`]),
  ].map(printable);
}

function namesOf(brokers: readonly BrokerVersion[]): string {
  const named = brokers.slice(0, NAMED).map(({ name, software }) => `broker ${name} ${software}`);
  const left = brokers.length - named.length;
  return [...named, ...(left === 0 ? [] : [`${left} more brokers another version`])].join(', ');
}

function distinct(versions: readonly string[]): string[] {
  return [...new Set(versions)].sort();
}
