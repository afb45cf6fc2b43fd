import type { AuditExportDto, AuditLinkDto } from '../../hub/auth/dto/audit-export.dto.js';
import type { Client } from './client.js';

const PAGE = 500;
const WITHIN_S = 60;

/** The whole audit in the order of its chain, and what has no place in it yet. @throws as Client.ask */
export async function* readAudit(hub: Client): AsyncGenerator<AuditLinkDto> {
  for (let after: number | null = 0; after !== null;) {
    const page: AuditExportDto = await hub.ask({
      method: 'GET',
      path: '/audit/export',
      query: { after, limit: PAGE },
      answerWithinS: WITHIN_S,
    });
    yield* page.items;
    after = page.nextAfter;
  }
}
