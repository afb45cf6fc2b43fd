/**
 * Text of others on somebody's terminal: names, details and output may hold control sequences that move the cursor,
 * retitle the window or fake an answer. They are made visible instead of obeyed.
 */

/** On one line, without anything that a terminal obeys. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, escaped);
}

/** As `printable`, but with tabs and colours: output of programs is hard to read without. */
export function printableOutput(text: string): string {
  return text
    .split(SPARED)
    .map((part, index) => (index % 2 === 1 ? part : printable(part)))
    .join('');
}

// eslint-disable-next-line no-control-regex -- the sequences that may stay begin with one
const SPARED = /(\t|\u001b\[[\d;]*m)/;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\n') return ' ';
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
