import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PARTS = ['Meaning', 'Impact', 'Diagnosis', 'Mitigation'];

/** One line for each alert without a runbook, runbook without an alert, and part that a runbook lacks. */
export function runbookFaults(alerts: readonly string[], folder: string, names: readonly string[]): string[] {
  const runbooks = names.filter((name) => name !== 'README.md').map((name) => name.replace(/\.md$/, ''));
  const missing = alerts.filter((alert) => !runbooks.includes(alert));
  const idle = runbooks.filter((runbook) => !alerts.includes(runbook));
  const whole = runbooks.filter((runbook) => alerts.includes(runbook));
  return [
    ...missing.map((alert) => `${alert} has no runbook`),
    ...idle.map((runbook) => `${runbook} is the runbook of no alert`),
    ...whole.flatMap((runbook) => {
      const text = readFileSync(join(folder, `${runbook}.md`), 'utf8');
      const lacking = PARTS.filter((part) => !new RegExp(`^## ${part}\\n\\n\\S`, 'm').test(text));
      return lacking.map((part) => `${runbook} does not say its ${part}`);
    }),
  ];
}
