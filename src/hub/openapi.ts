import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { SOFTWARE } from './software.js';

/** The description of the public API (OpenAPI 3.1). */
export function openApiOf(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Fairlead')
    .setDescription('The control-plane hub for fleets of agent runtime brokers.')
    .setVersion(SOFTWARE)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A personal token.' })
    .build();
  return SwaggerModule.createDocument(app, config);
}

/** Serves the description at `/api/v1/openapi.json` and a page that renders it at `/docs`. */
export function serveOpenApi(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => openApiOf(app), { jsonDocumentUrl: 'api/v1/openapi.json' });
}
