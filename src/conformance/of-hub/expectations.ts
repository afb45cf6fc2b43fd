import { hold } from '../rule.js';
import { HubLink, type Ended } from './hub-link.js';
import type { Refused } from './stage.js';

/** @throws Broken where it was let in, or refused in another way */
export function refusedWith(answer: HubLink | Refused, status: number, code: string): void {
  if (answer instanceof HubLink) {
    answer.cut();
    hold(false, `${status} ${code}`, 'the channel was opened');
    return;
  }
  hold(answer.status === status && answer.body.code === code, `${status} ${code}`, {
    status: answer.status,
    code: answer.body.code,
  });
}

/** @throws Broken where it goes on, or ends in another way */
export function endsWith(end: Ended | undefined, code: number): void {
  hold(end?.code === code, `the link to end with ${code}`, end ?? 'it stays open');
}

export function isTime(text: unknown): boolean {
  return typeof text === 'string' && Number.isFinite(Date.parse(text));
}
