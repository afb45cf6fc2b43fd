import { panelsOf, type Panel, type Row } from './panels.js';

const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;
const quantiles = (metric: string, selector = ''): [string, string][] =>
  (
    [
      ['0.5', 'p50'],
      ['0.99', 'p99'],
    ] as const
  ).map(([share, name]) => [
    `histogram_quantile(${share}, sum by (le) (rate(${metric}_bucket${selector}[$__rate_interval])))`,
    name,
  ]);
const each = (query: string, name = '{{instance}}'): [string, string][] => [[query, name]];

/** How long something took of which traces tell more. */
const times = (title: string, metric: string, selector?: string): Panel => ({
  title,
  unit: 's',
  queries: quantiles(metric, selector),
  hasExemplars: true,
});

/** Title, then rows of panels. */
export const DASHBOARDS: Readonly<Record<string, { title: string; rows: readonly Row[] }>> = {
  'fairlead-hub': {
    title: 'Fairlead: the hub',
    rows: [
      {
        title: 'Is it well',
        panels: [
          {
            title: 'Replicas that may act',
            unit: 'short',
            queries: each('sum(fairlead_replica_may_act)', 'replicas'),
          },
          {
            title: 'Brokers connected',
            unit: 'short',
            queries: each('sum(fairlead_brokers_connected)', 'brokers'),
          },
          {
            title: 'Commands stuck',
            unit: 'short',
            queries: each('max by (state) (fairlead_dispatches_stuck)', '{{state}}'),
          },
          {
            title: 'Turns of loops that failed in a row',
            unit: 'short',
            queries: each('fairlead_loop_faults'),
          },
        ],
      },
      {
        title: 'Wakes',
        panels: [
          { title: 'Through NOTIFY', unit: 'short', queries: each('fairlead_wake_by_notify') },
          { title: 'Canary', unit: 's', queries: quantiles('fairlead_canary_delay_seconds') },
          {
            title: 'LISTEN made anew',
            unit: 'short',
            queries: each('increase(fairlead_listener_reconnects_total[$__rate_interval])'),
          },
          { title: 'Links to peers', unit: 'short', queries: each('fairlead_peer_links') },
        ],
      },
      {
        title: 'Requests',
        panels: [
          {
            title: 'Answered',
            unit: 'reqps',
            queries: each(rate('fairlead_http_request_duration_seconds_count', 'status'), '{{status}}'),
          },
          times('Asked not to wait', 'fairlead_http_request_duration_seconds', '{waits="no"}'),
          times('Asked to wait', 'fairlead_http_request_duration_seconds', '{waits="yes"}'),
        ],
      },
      {
        title: 'Callers and agents',
        panels: [
          {
            title: 'Refused for their limit',
            unit: 'reqps',
            queries: each(rate('fairlead_rate_limited_total', 'class'), '{{class}}'),
          },
          {
            title: 'Stray runs',
            unit: 'short',
            queries: each('sum by (kind) (fairlead_agent_strays)', '{{kind}}'),
          },
          {
            title: 'Runs lost',
            unit: 'short',
            queries: each(
              'sum by (outcome) (increase(fairlead_agent_runs_lost_total[$__rate_interval]))',
              '{{outcome}}',
            ),
          },
          {
            title: 'Spans lost',
            unit: 'short',
            queries: each('increase(fairlead_spans_lost_total[$__rate_interval])'),
          },
          {
            title: 'Records of the log lost',
            unit: 'short',
            queries: each('increase(fairlead_log_records_lost_total[$__rate_interval])'),
          },
        ],
      },
    ],
  },
  'fairlead-commands': {
    title: 'Fairlead: commands',
    rows: [
      {
        title: 'How many',
        panels: [
          {
            title: 'Accepted',
            unit: 'ops',
            queries: each(rate('fairlead_dispatches_accepted_total', 'op'), '{{op}}'),
          },
          {
            title: 'Ended',
            unit: 'ops',
            queries: each(rate('fairlead_dispatches_ended_total', 'outcome'), '{{outcome}}'),
          },
          {
            title: 'Live',
            unit: 'short',
            queries: each('max by (state) (fairlead_dispatches_live)', '{{state}}'),
          },
          {
            title: 'Oldest',
            unit: 's',
            queries: each('max by (state) (fairlead_dispatches_oldest_seconds)', '{{state}}'),
          },
        ],
      },
      {
        title: 'How long',
        panels: [
          times('From acceptance to claim', 'fairlead_dispatch_accept_to_claim_seconds'),
          times('From claim to ack', 'fairlead_dispatch_claim_to_ack_seconds'),
          times('From ack to end', 'fairlead_dispatch_ack_to_end_seconds'),
          times('From acceptance to end', 'fairlead_dispatch_accept_to_end_seconds'),
        ],
      },
      {
        title: 'What went otherwise',
        panels: [
          {
            title: 'Tried again',
            unit: 'ops',
            queries: each(rate('fairlead_dispatches_retried_total', 'op'), '{{op}}'),
          },
          {
            title: 'Put back and adopted',
            unit: 'ops',
            queries: [
              [rate('fairlead_dispatches_put_back_total', 'op'), 'put back {{op}}'],
              [rate('fairlead_dispatches_adopted_total', 'op'), 'adopted {{op}}'],
            ],
          },
          {
            title: 'Late results',
            unit: 'ops',
            queries: each(rate('fairlead_dispatches_late_results_total', 'op'), '{{op}}'),
          },
          {
            title: 'Pending by project',
            unit: 'short',
            queries: each('max by (project) (fairlead_project_dispatches_pending)', '{{project}}'),
          },
        ],
      },
    ],
  },
  'fairlead-replicas': {
    title: 'Fairlead: replicas',
    rows: [
      {
        title: 'Work',
        panels: [
          { title: 'Brokers', unit: 'short', queries: each('fairlead_brokers_connected') },
          { title: 'Sent and not acked', unit: 'short', queries: each('fairlead_dispatches_unacked') },
          {
            title: 'Come in and not stored yet',
            unit: 'short',
            queries: each('fairlead_dispatches_not_stored'),
          },
          {
            title: 'A round of claiming and sending',
            unit: 's',
            queries: quantiles('fairlead_reconcile_duration_seconds'),
          },
          {
            title: 'Mean of a batch',
            unit: 'short',
            queries: each(
              'sum by (statement) (rate(fairlead_dispatch_batch_size_sum[$__rate_interval])) / sum by (statement) (rate(fairlead_dispatch_batch_size_count[$__rate_interval]))',
              '{{statement}}',
            ),
          },
        ],
      },
      {
        title: 'Process',
        panels: [
          {
            title: 'Processor',
            unit: 'percentunit',
            queries: each('rate(fairlead_process_cpu_seconds_total[$__rate_interval])'),
          },
          { title: 'Memory', unit: 'bytes', queries: each('fairlead_process_resident_memory_bytes') },
          {
            title: 'Lag of the event loop',
            unit: 's',
            queries: each('fairlead_nodejs_eventloop_lag_p99_seconds'),
          },
          {
            title: 'Files and sockets',
            unit: 'percentunit',
            queries: each('fairlead_process_open_fds / fairlead_process_max_fds'),
          },
        ],
      },
    ],
  },
};

/** A dashboard as Grafana imports it. */
export function dashboardJson(uid: string): string {
  const { title, rows } = DASHBOARDS[uid] ?? { title: '', rows: [] };
  const dashboard = {
    uid,
    title,
    tags: ['fairlead'],
    schemaVersion: 39,
    editable: true,
    timezone: 'browser',
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', hide: 0 }],
    },
    panels: panelsOf(rows),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

/** All that the dashboards ask of Prometheus, with where it stands. */
export function queriesOf(): { where: string; query: string; hasExemplars: boolean }[] {
  return Object.values(DASHBOARDS).flatMap(({ title, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap((panel) =>
        panel.queries.map(([query]) => ({
          where: `${title}, ${panel.title}`,
          query,
          hasExemplars: panel.hasExemplars === true,
        })),
      ),
    ),
  );
}
