import type { Label } from './label.js';
import type { Bar, Drawing, Line, Mark } from './sheet.js';

/** Each kind of thing with its colour on a light page and on a dark one. */
const COLOURS: Record<string, { property: 'fill' | 'stroke'; light: string; dark: string }> = {
  page: { property: 'fill', light: '#ffffff', dark: '#0d1117' },
  edge: { property: 'stroke', light: '#d0d7de', dark: '#30363d' },
  strong: { property: 'fill', light: '#1f2328', dark: '#f0f6fc' },
  plain: { property: 'fill', light: '#424a53', dark: '#c9d1d9' },
  dim: { property: 'fill', light: '#59636e', dark: '#9198a1' },
  alarm: { property: 'fill', light: '#cf222e', dark: '#ff7b72' },
  'on-bar': { property: 'fill', light: '#ffffff', dark: '#ffffff' },
  'replica-a': { property: 'fill', light: '#0969da', dark: '#1f6feb' },
  'replica-b': { property: 'fill', light: '#bc4c00', dark: '#bd561d' },
  agent: { property: 'fill', light: '#1b7c83', dark: '#2b7a78' },
  pending: { property: 'fill', light: '#6e7781', dark: '#6e7681' },
  claimed: { property: 'fill', light: '#bf8700', dark: '#bb8009' },
  running: { property: 'fill', light: '#8250df', dark: '#8957e5' },
  succeeded: { property: 'fill', light: '#1a7f37', dark: '#2ea043' },
  killed: { property: 'fill', light: '#cf222e', dark: '#f85149' },
  grid: { property: 'stroke', light: '#eaeef2', dark: '#21262d' },
  rule: { property: 'stroke', light: '#d0d7de', dark: '#30363d' },
  gap: { property: 'stroke', light: '#8c959f', dark: '#6e7681' },
  kill: { property: 'stroke', light: '#cf222e', dark: '#f85149' },
  sign: { property: 'stroke', light: '#ffffff', dark: '#ffffff' },
};

/** A picture without scripts, links or fonts of its own, which follows the reader's light or dark theme. */
export function svgOf(drawing: Drawing): string {
  const { width, height, title, description, bars, lines, marks, labels } = drawing;
  const later = (line: Line): boolean => line.kind === 'kill';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="ui-sans-serif, system-ui, sans-serif">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(description)}</desc>`,
    `<style>${styles()}</style>`,
    `<rect class="page edge" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...lines.filter((line) => !later(line)).map(lineOf),
    ...bars.map(barOf),
    ...lines.filter(later).map(lineOf),
    ...marks.map(markOf),
    ...labels.map(labelOf),
    '</svg>',
    '',
  ].join('\n');
}

function styles(): string {
  const rules = (theme: 'light' | 'dark'): string =>
    Object.entries(COLOURS)
      .map(([name, colour]) => `.${name}{${colour.property}:${colour[theme]}}`)
      .join('');
  return `${rules('light')}@media (prefers-color-scheme: dark){${rules('dark')}}`;
}

function barOf({ x, y, width, height, kind }: Bar): string {
  return `<rect class="${kind}" x="${x}" y="${y}" width="${rounded(width)}" height="${height}" rx="${width > 6 ? 3 : 0}"/>`;
}

function lineOf({ x1, y1, x2, y2, kind }: Line): string {
  const dash = { grid: '', rule: '', gap: ' stroke-dasharray="2 4"', kill: ' stroke-dasharray="5 3"' }[kind];
  const width = kind === 'kill' || kind === 'gap' ? 1.5 : 1;
  return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke-width="${width}"${dash}/>`;
}

/** A cross, or a tick, in a disc. */
function markOf({ x, y, kind }: Mark): string {
  const sign = kind === 'killed' ? 'M-3.5-3.5 3.5 3.5M3.5-3.5-3.5 3.5' : 'M-3.5 0.5-1 3 4-2.5';
  return [
    `<g transform="translate(${rounded(x)} ${y})"><circle class="${kind}" r="8"/>`,
    `<path class="sign" d="${sign}" fill="none" stroke-width="2"/></g>`,
  ].join('');
}

function labelOf({ text, x, y, size, anchor, tone }: Label): string {
  const weight = tone === 'strong' || tone === 'alarm' ? ' font-weight="600"' : '';
  return `<text class="${tone}" x="${rounded(x)}" y="${y}" font-size="${size}" text-anchor="${anchor}"${weight}>${escaped(text)}</text>`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => ENTITIES[letter] ?? letter);
}
