import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { describeTo } from './http/described.js';
import { SOFTWARE } from './software.js';

/** Below `/docs`; the page asks for its description there. */
const PAGES = ['/docs', '/docs/*', '/docs-yaml', '/api/v1/openapi.json'];
/** Whoever may reach a hub may read what it can be asked. */
const OPEN = { config: { access: 'public' } } as const;
/** Of one hop: those of the answer itself are made where it is sent. */
const HOP = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);

/** The description of the public API (OpenAPI 3.1). */
export async function openApiOf(app: NestFastifyApplication): Promise<OpenAPIObject> {
  const swagger = await import('@nestjs/swagger');
  describeTo(swagger);
  const config = new swagger.DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Fairlead')
    .setDescription('The control-plane hub for fleets of agent runtime brokers.')
    .setVersion(SOFTWARE)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A personal token.' })
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', description: 'The token of an agent, which its broker asks for.' },
      'agent',
    )
    .build();
  return swagger.SwaggerModule.createDocument(app, config);
}

/**
 * Serves the description at `/api/v1/openapi.json` and a page that renders it at `/docs`. What makes them is loaded
 * when one of them is asked for first: it would be a fifth of what a hub loads before it is ready.
 */
export function serveOpenApi(app: NestFastifyApplication): void {
  let making: ReturnType<typeof pagesOf> | undefined;
  const answer = async ({ url, headers }: FastifyRequest, reply: FastifyReply) => {
    const pages = await (making ??= pagesOf(app));
    const page = await pages.inject({ url, headers });
    if (page.statusCode === 404) return reply.callNotFound();
    const passed = Object.entries(page.headers).filter(([name]) => !HOP.has(name));
    return reply.code(page.statusCode).headers(Object.fromEntries(passed)).send(page.rawPayload);
  };
  for (const path of PAGES) app.getHttpAdapter().getInstance().get(path, OPEN, answer);
}

/** A server of its own that never listens: routes cannot be added any more to one that does. */
async function pagesOf(app: NestFastifyApplication) {
  const { SwaggerModule } = await import('@nestjs/swagger');
  const description = await openApiOf(app);
  const adapter = new FastifyAdapter();
  const within = Object.create(app, { getHttpAdapter: { value: () => adapter } }) as NestFastifyApplication;
  SwaggerModule.setup('docs', within, description, { jsonDocumentUrl: 'api/v1/openapi.json' });
  const instance = adapter.getInstance();
  await instance.ready();
  return instance;
}
