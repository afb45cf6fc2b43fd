import { Logger as NestLogger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Logger, type Params } from 'nestjs-pino';
import { both, type LogExport } from '../tracing/log-export.js';
import { LINES_LOST, LogOutput } from '../tracing/log-output.js';
import type { HubConfig } from './config/hub-config.js';
import { toldPath } from './http/told-path.js';

const logs = new NestLogger('log');

/** One JSON object a line; the hub's own name goes with each. What is exported is these lines, and no more. */
export function loggerOptions(config: HubConfig, logExport: LogExport | undefined): Params {
  const output = new LogOutput(process.stdout.fd, (told) => logs.warn(told, LINES_LOST));
  return {
    pinoHttp: {
      level: config.logLevel,
      base: { replica: config.replicaName },
      autoLogging: false,
      serializers: { err: whatOf },
      stream: logExport === undefined ? output : both(output, logExport),
    },
  };
}

/** By which what is wrong can be found: names of ours and of the schema, codes, and why another replica was not reached. */
const TELLING = [
  'code',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'routine',
  'status',
  'why',
] as const;

type Serialized = Record<string, unknown> & { type: string; message: string; stack: string };

/**
 * What of an error goes to the log: its kind, what it says, where it was thrown, and what TELLING has of it. Whatever else
 * it carries stays out, since that may be anything: the row that the database refused, the answer that a provider gave.
 */
function whatOf({ type, message, stack, ...rest }: Serialized): object {
  const { aggregateErrors } = rest;
  return {
    type,
    message,
    stack,
    ...Object.fromEntries(TELLING.flatMap((name) => (isPlain(rest[name]) ? [[name, rest[name]]] : []))),
    ...(Array.isArray(aggregateErrors)
      ? { aggregateErrors: aggregateErrors.map((each) => whatOf(each as Serialized)) }
      : {}),
  };
}

function isPlain(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

const requests = new NestLogger('http');
/** Not all probes: who reads the health or scrapes is told of, as others are. */
const ALIVE = new Set(['/livez', '/readyz']);

/**
 * Logs an answered request by its id, method, path, status and time: never its query, its headers or its body, where
 * secrets travel, nor of its path what reads like one. What the hub could not do is an error; what it refused is told; the rest is for who looks closely.
 */
export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const path = toldPath(request.url);
  if (ALIVE.has(path)) return;
  const { statusCode: status, elapsedTime } = reply;
  const line = { requestId: request.id, method: request.method, path, status, ms: Math.round(elapsedTime) };
  if (status >= 500) requests.error(line, 'answered');
  else if (status >= 400) requests.log(line, 'answered');
  else requests.debug(line, 'answered');
}

/** What Nest tells of its own assembly at every start: of use to nobody who runs a hub. */
const ASSEMBLY = new Set([
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestFactory',
  'NestApplication',
  'WebSocketsController',
]);

/** The application's logger, silent about Nest's assembly. */
export class HubLogger extends Logger {
  override log(message: unknown, ...rest: unknown[]): void {
    if (!ASSEMBLY.has(String(rest.at(-1)))) super.log(message, ...(rest as []));
  }
}
