import { existsSync, readFileSync } from 'node:fs';

const CI = '.ci/run';

/** Those of a block's commands that are not, word by word, what a step of CI runs. */
export function notRunByCi(text: string): string[] {
  const steps = existsSync(CI) ? stepsOf(readFileSync(CI, 'utf8')) : [];
  return commandsIn(text).filter((command) => !steps.includes(command));
}

/** One a line, each in one piece and without comments. */
export function commandsIn(text: string): string[] {
  return text
    .replace(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => line.replace(/(^|\s)#.*$/, '').split('&&'))
    .map((command) => command.trim())
    .filter((command) => command !== '');
}

/** `step <name> limited <command>`, `tests <name> in_readme '<command>'`, and what may stand around them. */
function stepsOf(script: string): string[] {
  const form =
    /^\s*(?:if )?(?:step|tests|attempt) \S+ (?:limited ([^;|]+?)|in_readme '([^']+)')(?=\s*(?:;|\|\||$))/gm;
  return [...script.matchAll(form)].map(([, limited, quoted]) => limited ?? quoted ?? '');
}
