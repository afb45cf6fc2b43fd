/**
 * Why a client was told that nobody knows whether its command was stored. A hub may say so only where the database was away, slow or
 * unwilling for it while it was being asked, or where it stood still itself, so that its statements ran out of time. That is
 * looked up in what was done to the replica to which the call led.
 */
import type { Doubt } from './record.js';
import { byPortOf, linkOf, NOTICED_WITHIN_MS, type Ways } from './silences.js';

/** @returns what nothing explains, each as it is told */
export function unfoundedDoubts(doubts: readonly Doubt[], { links, absences, ailments }: Ways): string[] {
  const byPort = byPortOf(links);
  const paused = absences.filter(({ why }) => why === 'paused');
  return doubts.flatMap((doubt) => {
    const replicaPort = linkOf(doubt, byPort)?.replicaPort ?? null;
    const isExplained = [...ailments, ...paused].some(
      (each) =>
        (each.replicaPort === null || replicaPort === null || each.replicaPort === replicaPort) &&
        doubt.begunMs <= each.untilMs + NOTICED_WITHIN_MS &&
        doubt.endedMs >= each.fromMs,
    );
    if (isExplained) return [];
    const at = new Date(doubt.endedMs).toISOString();
    return [
      `at ${at} the client of ${doubt.idempotencyKey ?? 'a command'} was told that nobody knows, after ${doubt.endedMs - doubt.begunMs} ms, and nothing explains it`,
    ];
  });
}
