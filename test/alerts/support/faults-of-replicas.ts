/** What is done to a replica, and to what is around it. Each gives what was scraped while it lasted, and ends it. */
import { connect, type Socket } from 'node:net';
import { setTimeout as rest } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';
import { valueIn } from './series.js';
import type { WatchedHub } from './watched-hub.js';

const LISTENS = 'fairlead_listener_reconnects_total';
const LOOP_LAG = 'fairlead_nodejs_eventloop_lag_p99_seconds';
const REFUSED_LOGINS = 'fairlead_rate_limited_total{class="login"}';
const LOST = ['fairlead_spans_lost_total', 'fairlead_log_records_lost_total'];

export async function passwordsAreTried(hub: WatchedHub): Promise<string[]> {
  for (let count = 0; count < 40; count += 1)
    await hub.api.post('/api/v1/sessions', { user: 'administrator', password: `a guess, the ${count}th` });
  return [await hub.scrapeOnce((valueOf) => valueOf(REFUSED_LOGINS) > 25)];
}

/** What is told is of the time since the scrape before: a few long stops among few turns. */
export async function standsStill(hub: WatchedHub): Promise<string[]> {
  const text = await eventually(
    async () => {
      await hub.scrape();
      for (let count = 0; count < 3; count += 1) {
        hub.hub.signal('SIGSTOP');
        await rest(800);
        hub.hub.signal('SIGCONT');
        await rest(20);
      }
      const scraped = await hub.scrape();
      return valueIn(scraped, LOOP_LAG) > 0.5 && scraped;
    },
    { withinMs: 60_000 },
  );
  return [text];
}

export async function losesItsListener(hub: WatchedHub): Promise<string[]> {
  let text = await hub.scrape();
  for (let count = 0; count < 4; count += 1) {
    const before = valueIn(text, LISTENS);
    await hub.sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query like 'listen %'`,
    );
    text = await hub.scrapeOnce(
      (valueOf) => valueOf(LISTENS) > before && valueOf('fairlead_wake_by_notify') === 1,
    );
  }
  return [text];
}

export async function usesUpItsFiles(hub: WatchedHub): Promise<string[]> {
  const { hostname, port } = new URL(hub.hub.url);
  const sockets: Socket[] = [];
  const text = await eventually(
    async () => {
      for (let count = 0; count < 100; count += 1)
        sockets.push(connect(Number(port), hostname).on('error', () => undefined));
      const scraped = await hub.scrape();
      const isShort =
        valueIn(scraped, 'fairlead_process_open_fds') > 0.8 * valueIn(scraped, 'fairlead_process_max_fds');
      return isShort && scraped;
    },
    { withinMs: 60_000 },
  );
  for (const socket of sockets) socket.destroy();
  return [text];
}

/** Three times, so that it goes on for longer than the five minutes over which the rules look. */
export async function hasNoCollector(hub: WatchedHub): Promise<string[]> {
  await hub.collector.stop();
  const scrapes = [await hub.scrape()];
  while (scrapes.length <= 3) {
    const before = scrapes.at(-1) ?? '';
    // A request that is refused has a span, and a line in the log.
    await hub.api.get('/api/v1/brokers/nobody');
    scrapes.push(
      await hub.scrapeOnce((valueOf) => LOST.every((series) => valueOf(series) > valueIn(before, series))),
    );
  }
  return scrapes.slice(1);
}

export async function startsAgainAndAgain(hub: WatchedHub): Promise<string[]> {
  const scrapes: string[] = [];
  while (scrapes.length < 3) {
    await hub.startAnew();
    scrapes.push(await hub.scrape());
  }
  return scrapes;
}
