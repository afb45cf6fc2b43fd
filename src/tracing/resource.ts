import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
  type Resource,
} from '@opentelemetry/resources';
import type { Program } from './tracer.js';

/** Who exports: the program, and what OpenTelemetry's own variables say, which comes first. */
export function resourceOf({ name, version, attributes = {} }: Program): Resource {
  const own = resourceFromAttributes({ 'service.name': name, 'service.version': version, ...attributes });
  const told = detectResources({ detectors: [envDetector] });
  return defaultResource().merge(own).merge(told);
}
