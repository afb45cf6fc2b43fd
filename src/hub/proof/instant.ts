import { ProtocolError } from '../../protocol/protocol.error.js';
import { reader } from '../../protocol/read.js';

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** Microseconds since 1970: the precision of the database, in which two steps can differ by one. */
export const instant = reader({ type: 'string', format: 'date-time' }, (value, path) => {
  const found = typeof value === 'string' ? RFC_3339.exec(value) : null;
  const [, day = '', time = '', fraction = '', zone = ''] = found ?? [];
  const ms = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  if (!Number.isFinite(ms)) throw new ProtocolError(`${path} must be a time as RFC 3339 has it`);
  return ms * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
});

/** For people. */
export function timeOf(us: number): string {
  const ms = Math.floor(us / 1000);
  return new Date(ms).toISOString().replace('Z', `${String(us - ms * 1000).padStart(3, '0')}Z`);
}
