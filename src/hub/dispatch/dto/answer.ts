import type { FastifyReply } from 'fastify';
import type { DispatchRecord } from '../record.js';
import { hasEnded } from '../state.js';
import type { DispatchEnvelopeDto } from './dispatch.dto.js';
import { toEnvelope } from './map.js';

/** The answer to a request for work: 200 where it has ended, else 202 and where to look. */
export function answer(reply: FastifyReply, record: DispatchRecord): DispatchEnvelopeDto {
  void reply.status(hasEnded(record.state) ? 200 : 202).header('location', `/api/v1/dispatches/${record.id}`);
  return toEnvelope(record);
}
