type Alert = {
  /** In PromQL, over the metrics of docs/metrics.md alone. */
  expr: string;
  /** How long it must hold. */
  holds: string;
  severity: 'critical' | 'warning' | 'info';
  /** One sentence for the pager. */
  summary: string;
};

const p99 = (metric: string, by = '') =>
  `histogram_quantile(0.99, sum by (${by}le) (rate(${metric}_bucket[5m])))`;

/** Every alert. Each has a file in helm/fairlead/alerts and a runbook in docs/runbooks of its name. */
export const ALERTS: Readonly<Record<string, Alert>> = {
  FairleadAbsent: {
    expr: 'absent(fairlead_replica_may_act)',
    holds: '2m',
    severity: 'critical',
    summary: 'No replica of the hub is scraped.',
  },
  FairleadReplicaMayNotAct: {
    expr: 'fairlead_replica_may_act == 0',
    holds: '30s',
    severity: 'critical',
    summary: 'A replica cannot renew its beat: it holds its brokers, and does nothing for them.',
  },
  FairleadWakesByPolls: {
    expr: 'fairlead_wake_by_notify == 0',
    holds: '2m',
    severity: 'warning',
    summary: 'A replica hears no NOTIFY; polls carry its work, seconds later.',
  },
  FairleadCanarySlow: {
    expr: `${p99('fairlead_canary_delay_seconds', 'instance, ')} > 0.25`,
    holds: '5m',
    severity: 'warning',
    summary: 'NOTIFY takes longer than 250 ms to come back to a replica.',
  },
  FairleadListenerUnstable: {
    expr: 'increase(fairlead_listener_reconnects_total[10m]) > 3',
    holds: '0m',
    severity: 'warning',
    summary: 'A replica made its LISTEN anew more than three times within ten minutes.',
  },
  FairleadLoopFails: {
    expr: 'fairlead_loop_faults >= 5',
    holds: '1m',
    severity: 'warning',
    summary: 'A background loop of a replica fails turn after turn.',
  },
  FairleadDispatchesStuck: {
    expr: 'max by (state) (fairlead_dispatches_stuck) > 0',
    holds: '2m',
    severity: 'critical',
    summary: 'Commands are due, or out, for over five minutes though their broker is connected.',
  },
  FairleadDispatchesDead: {
    expr: 'sum by (op) (increase(fairlead_dispatches_ended_total{outcome="dead"}[15m])) > 0',
    holds: '0m',
    severity: 'warning',
    summary: 'Commands used up all their failures, and will not be tried again.',
  },
  FairleadCommandsFail: {
    expr:
      'sum(increase(fairlead_dispatches_ended_total{outcome=~"failed|expired|dead"}[10m])) > ' +
      '0.2 * sum(increase(fairlead_dispatches_ended_total[10m])) > 2',
    holds: '1m',
    severity: 'warning',
    summary: 'More than a fifth of all commands end badly.',
  },
  FairleadBacklogGrows: {
    expr: 'max by (project) (fairlead_project_dispatches_pending) > 5000',
    holds: '10m',
    severity: 'warning',
    summary: 'Thousands of commands of a project wait; a broker’s backlog is closed at 10,000.',
  },
  FairleadAcksSlow: {
    expr: `${p99('fairlead_dispatch_claim_to_ack_seconds')} > 5`,
    holds: '5m',
    severity: 'warning',
    summary: 'Brokers take longer than five seconds to say that they hold a command.',
  },
  FairleadBrokersLost: {
    expr: 'sum(fairlead_brokers_connected) < 0.7 * max_over_time(sum(fairlead_brokers_connected)[30m:1m])',
    holds: '2m',
    severity: 'critical',
    summary: 'Less than seven in ten of the brokers of half an hour ago are connected.',
  },
  FairleadAgentRunsLost: {
    expr: 'sum by (outcome) (increase(fairlead_agent_runs_lost_total[10m])) > 0',
    holds: '0m',
    severity: 'warning',
    summary: 'Brokers did not know runs any more that the hub took for going on.',
  },
  FairleadStrayRuns: {
    expr: 'sum by (kind) (fairlead_agent_strays) > 0',
    holds: '15m',
    severity: 'warning',
    summary: 'Runs go on at brokers that nobody wants there.',
  },
  FairleadCallersLimited: {
    expr: 'sum by (class) (rate(fairlead_rate_limited_total{class=~"read|write|agent|agent_token|upgrade|poll"}[5m])) > 1',
    holds: '1m',
    severity: 'info',
    summary: 'Callers ask for more than their limit allows.',
  },
  FairleadCredentialsGuessed: {
    expr: 'sum by (class) (increase(fairlead_rate_limited_total{class=~"login|join|token"}[10m])) > 20',
    holds: '0m',
    severity: 'warning',
    summary: 'Somebody tries credentials faster than the limit allows.',
  },
  FairleadEventLoopLate: {
    expr: 'fairlead_nodejs_eventloop_lag_p99_seconds > 0.5',
    holds: '2m',
    severity: 'warning',
    summary: 'A replica does what is due half a second late.',
  },
  FairleadFilesShort: {
    expr: 'fairlead_process_open_fds > 0.8 * fairlead_process_max_fds',
    holds: '2m',
    severity: 'warning',
    summary: 'A replica has used four fifths of the files and sockets that it may open.',
  },
  FairleadReplicaRestarts: {
    expr: 'changes(fairlead_process_start_time_seconds[15m]) > 2',
    holds: '0m',
    severity: 'warning',
    summary: 'A replica started more than twice within a quarter of an hour.',
  },
  FairleadSpansLost: {
    expr: 'increase(fairlead_spans_lost_total[5m]) > 0',
    holds: '10m',
    severity: 'info',
    summary: 'No collector takes the spans of a replica.',
  },
  FairleadLogRecordsLost: {
    expr: 'increase(fairlead_log_records_lost_total[5m]) > 0',
    holds: '10m',
    severity: 'info',
    summary: 'No collector takes the log of a replica.',
  },
};

const PAGES = 'https://github.com/fairlead/fairlead/blob/main/docs/runbooks';

/** A rule file of Prometheus, which is also the `spec` of a PrometheusRule. */
export function alertFile(name: string, { expr, holds, severity, summary }: Alert): string {
  return [
    '# Made by `npm run alerts:write` from scripts/alerts/alerts.ts.',
    'groups:',
    `  - name: ${name}`,
    '    rules:',
    `      - alert: ${name}`,
    `        expr: ${quoted(expr)}`,
    `        for: ${holds}`,
    '        labels:',
    `          severity: ${severity}`,
    '        annotations:',
    `          summary: ${quoted(summary)}`,
    `          runbook_url: ${PAGES}/${name}.md`,
    '',
  ].join('\n');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** docs/runbooks/README.md */
export function runbookIndex(alerts: Readonly<Record<string, Alert>>): string {
  const rows = Object.entries(alerts).map(
    ([name, { severity, holds, summary }]) =>
      `| [${name}](${name}.md) | ${severity} | ${holds} | ${summary} |`,
  );
  return [
    '# Runbooks',
    '',
    'One for each alert of the chart (`helm/fairlead/alerts`): what it means, what it costs, how to find the cause, and what to do.',
    '`critical` wakes somebody, `warning` is for the next working hours, `info` is to know.',
    '',
    'This page is made by `npm run alerts:write`.',
    '',
    '| alert | severity | after | what it says |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
