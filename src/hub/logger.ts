import { Logger, type Params } from 'nestjs-pino';
import type { HubConfig } from './config/hub-config.js';

/**
 * One JSON object a line. A request is logged by its id, method, path and status: never its query, its headers or
 * its body, where secrets travel.
 */
export function loggerOptions(config: HubConfig): Params {
  return {
    pinoHttp: {
      level: config.logLevel,
      base: { replica: config.replicaName },
      quietReqLogger: true,
      autoLogging: { ignore: (request) => request.url === '/livez' || request.url === '/readyz' },
      customLogLevel: (_request, response, error) => {
        if (error !== undefined || response.statusCode >= 500) return 'error';
        return response.statusCode >= 400 ? 'info' : 'debug';
      },
      serializers: {
        req: (request: { id: unknown; method: string; url: string }) => ({
          id: request.id,
          method: request.method,
          path: request.url.split('?')[0],
        }),
        res: (response: { statusCode: number }) => ({ status: response.statusCode }),
      },
    },
  };
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
