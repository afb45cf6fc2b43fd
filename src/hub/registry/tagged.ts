import type { FastifyReply } from 'fastify';
import { etagOf } from '../http/if-match.js';
import type { Admissions } from './attachments.js';
import type { BrokerRow } from './broker.repository.js';
import { BrokerDto } from './dto/broker.dto.js';

/** A broker as an answer, with its revision as the `ETag`. */
export function tagged(reply: FastifyReply, row: BrokerRow, admissions: Admissions | undefined): BrokerDto {
  void reply.header('etag', etagOf(row));
  return BrokerDto.of(row, admissions);
}
