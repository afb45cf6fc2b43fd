import { STRAY_KINDS } from '../../src/hub/agents/drift.js';
import { LIMIT_CLASSES } from '../../src/hub/config/rate-limits.js';
import { ENDED_STATES, LANES, LIVE_STATES } from '../../src/hub/dispatch/state.js';
import { BATCHES } from '../../src/hub/dispatch/steps.js';
import { METHODS, STATUSES, WAITS } from '../../src/hub/health/request-metrics.js';
import { REFUSALS } from '../../src/hub/registry/refusals.js';
import { OPS } from '../../src/protocol/op.js';

export type Type = 'counter' | 'gauge' | 'histogram' | 'summary';

export type Described = {
  type: Type;
  /** What is counted or measured; `1` for a number without one. */
  unit: string;
  /** For each label all values that it may have, or in words what bounds them. */
  labels?: Readonly<Record<string, readonly string[] | string>>;
  /** The metric's own help where left out. */
  meaning?: string;
  /** Exported on Linux alone. */
  isOfLinux?: true;
  /** Its buckets name traces, to who asks for OpenMetrics, where tracing is on. */
  hasExemplars?: true;
};

const gauge = (unit: string, meaning?: string): Described => ({
  type: 'gauge',
  unit,
  ...(meaning === undefined ? {} : { meaning }),
});

const counter = (unit: string, meaning: string): Described => ({ type: 'counter', unit, meaning });

const lag = (what: string) => gauge('seconds', `How late the event loop runs what is due: ${what}.`);

const byKind = (what: string): Described => ({
  ...gauge('1', `What keeps the process busy or alive, by kind: ${what}.`),
  labels: { type: 'classes of Node, a few tens' },
});

const bySpace = (what: string): Described => ({
  ...gauge('bytes', `${what} of each space of the heap.`),
  labels: { space: 'spaces of the heap of V8, about ten' },
});

const ofLinux = (described: Described): Described => ({ ...described, isOfLinux: true });

const OF_DISPATCHES = { op: [...Object.keys(OPS), 'other'], lane: LANES };

const ofDispatches = (type: 'counter' | 'histogram', unit: string): Described => ({
  type,
  unit,
  labels: OF_DISPATCHES,
});

const timesOfDispatches: Described = { ...ofDispatches('histogram', 'seconds'), hasExemplars: true };

const byProject = (unit: string): Described => ({
  ...gauge(unit),
  labels: { project: 'names of the 50 projects in which most are pending' },
});

const STRAYS = { kind: STRAY_KINDS };

const byState = (unit: string): Described => ({ ...gauge(unit), labels: { state: LIVE_STATES } });

/** What this project measures. */
const OWN: Readonly<Record<string, Described>> = {
  fairlead_admissions_per_second: gauge('brokers a second'),
  fairlead_agent_lists_wanted_total: { type: 'counter', unit: 'lists' },
  fairlead_agent_runs_lost_total: {
    type: 'counter',
    unit: 'runs',
    labels: { outcome: ['failed', 'started_again'] },
  },
  fairlead_agent_strays: { ...gauge('runs'), labels: STRAYS },
  fairlead_agent_strays_found_total: { type: 'counter', unit: 'runs', labels: STRAYS },
  fairlead_agent_strays_stopped_total: { type: 'counter', unit: 'dispatches', labels: STRAYS },
  fairlead_brokers_connected: gauge('brokers'),
  fairlead_canary_delay_seconds: { type: 'histogram', unit: 'seconds' },
  fairlead_channels_refused_total: {
    type: 'counter',
    unit: 'requests',
    labels: { code: [...REFUSALS, 'other'] },
  },
  fairlead_dispatch_accept_to_claim_seconds: timesOfDispatches,
  fairlead_dispatch_accept_to_end_seconds: timesOfDispatches,
  fairlead_dispatch_ack_to_end_seconds: timesOfDispatches,
  fairlead_dispatch_attempts: ofDispatches('histogram', 'attempts'),
  fairlead_dispatch_batch_size: { type: 'histogram', unit: 'items', labels: { statement: BATCHES } },
  fairlead_dispatch_claim_to_ack_seconds: timesOfDispatches,
  fairlead_dispatch_claim_to_end_seconds: timesOfDispatches,
  fairlead_dispatches_accepted_total: ofDispatches('counter', 'dispatches'),
  fairlead_dispatches_acked_total: ofDispatches('counter', 'attempts'),
  fairlead_dispatches_adopted_total: ofDispatches('counter', 'dispatches'),
  fairlead_dispatches_cancel_asked_total: ofDispatches('counter', 'wishes'),
  fairlead_dispatches_claimed_total: ofDispatches('counter', 'attempts'),
  fairlead_dispatches_ended_total: {
    ...ofDispatches('counter', 'dispatches'),
    labels: { ...OF_DISPATCHES, outcome: ENDED_STATES },
  },
  fairlead_dispatches_late_results_total: ofDispatches('counter', 'results'),
  fairlead_dispatches_live: byState('dispatches'),
  fairlead_dispatches_not_stored: gauge('dispatches'),
  fairlead_dispatches_oldest_seconds: byState('seconds'),
  fairlead_dispatches_put_back_total: ofDispatches('counter', 'dispatches'),
  fairlead_dispatches_released_total: ofDispatches('counter', 'attempts'),
  fairlead_dispatches_retried_total: ofDispatches('counter', 'failures'),
  fairlead_dispatches_stuck: byState('dispatches'),
  fairlead_dispatches_unacked: gauge('dispatches'),
  fairlead_http_request_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: { method: METHODS, status: STATUSES, waits: WAITS },
    hasExemplars: true,
  },
  fairlead_listener_reconnects_total: { type: 'counter', unit: 'connections' },
  fairlead_log_records_lost_total: { type: 'counter', unit: 'records' },
  fairlead_loop_faults: gauge('turns'),
  fairlead_project_dispatches_pending: byProject('dispatches'),
  fairlead_project_oldest_pending_seconds: byProject('seconds'),
  fairlead_rate_leases_total: { type: 'counter', unit: 'leases' },
  fairlead_rate_limited_total: { type: 'counter', unit: 'requests', labels: { class: LIMIT_CLASSES } },
  fairlead_reconcile_duration_seconds: { type: 'histogram', unit: 'seconds' },
  fairlead_replica_may_act: gauge('0 or 1'),
  fairlead_spans_lost_total: { type: 'counter', unit: 'spans' },
  fairlead_peer_links: gauge('links'),
  fairlead_wake_by_notify: gauge('0 or 1'),
};

/** What Node tells of the process, in the selection of prom-client. */
const OF_NODE: Readonly<Record<string, Described>> = {
  fairlead_nodejs_active_handles: byKind('handles'),
  fairlead_nodejs_active_handles_total: gauge('handles', 'All of these.'),
  fairlead_nodejs_active_requests: byKind('requests to the system'),
  fairlead_nodejs_active_requests_total: gauge('requests', 'All of these.'),
  fairlead_nodejs_active_resources: byKind('handles, requests, timers'),
  fairlead_nodejs_active_resources_total: gauge('resources', 'All of these.'),
  fairlead_nodejs_eventloop_lag_seconds: lag('at the moment of the scrape'),
  fairlead_nodejs_eventloop_lag_max_seconds: lag('longest since the last scrape'),
  fairlead_nodejs_eventloop_lag_mean_seconds: lag('mean since the last scrape'),
  fairlead_nodejs_eventloop_lag_min_seconds: lag('shortest since the last scrape'),
  fairlead_nodejs_eventloop_lag_p50_seconds: lag('median since the last scrape'),
  fairlead_nodejs_eventloop_lag_p90_seconds: lag('90th percentile since the last scrape'),
  fairlead_nodejs_eventloop_lag_p99_seconds: lag('99th percentile since the last scrape'),
  fairlead_nodejs_eventloop_lag_stddev_seconds: lag('standard deviation since the last scrape'),
  fairlead_nodejs_external_memory_bytes: gauge('bytes', 'Memory of objects that live outside of the heap.'),
  fairlead_nodejs_gc_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: { kind: ['major', 'minor', 'incremental', 'weakcb'] },
    meaning: 'How long garbage collections took.',
  },
  fairlead_nodejs_heap_size_total_bytes: gauge('bytes', 'Size of the heap.'),
  fairlead_nodejs_heap_size_used_bytes: gauge('bytes', 'What is used of it.'),
  fairlead_nodejs_heap_space_size_available_bytes: bySpace('What is free'),
  fairlead_nodejs_heap_space_size_total_bytes: bySpace('Size'),
  fairlead_nodejs_heap_space_size_used_bytes: bySpace('What is used'),
  fairlead_nodejs_version_info: {
    type: 'gauge',
    unit: '1',
    labels: Object.fromEntries(
      ['version', 'major', 'minor', 'patch'].map((label) => [label, 'one a process']),
    ),
    meaning: 'Always 1; its labels tell the version of Node.',
  },
  fairlead_process_cpu_seconds_total: counter('seconds', 'Processor time.'),
  fairlead_process_cpu_system_seconds_total: counter('seconds', 'Processor time that the system took.'),
  fairlead_process_cpu_user_seconds_total: counter('seconds', 'Processor time that the program took.'),
  fairlead_process_heap_bytes: ofLinux(gauge('bytes', 'Size of the data segment.')),
  fairlead_process_max_fds: ofLinux(gauge('files', 'Files and sockets that may be open at a time.')),
  fairlead_process_open_fds: ofLinux(gauge('files', 'Files and sockets that are open.')),
  fairlead_process_resident_memory_bytes: gauge('bytes', 'Memory that the process holds.'),
  fairlead_process_start_time_seconds: gauge('seconds', 'When the process started, since 1970.'),
  fairlead_process_virtual_memory_bytes: ofLinux(gauge('bytes', 'Address space of the process.')),
};

export type Catalogue = {
  own: Readonly<Record<string, Described>>;
  ofNode: Readonly<Record<string, Described>>;
};

/** Every metric that a hub may export. */
export const CATALOGUE: Catalogue = { own: OWN, ofNode: OF_NODE };
