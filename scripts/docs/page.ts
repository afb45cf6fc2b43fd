import { readMarker, saidIn, type Marker } from './marker.js';

export type Block = {
  /** Of its fence, from 1. */
  line: number;
  language: string;
  /** The latest before it; empty where there is none. */
  heading: string;
  text: string;
  markers: Marker[];
};

export type Page = {
  path: string;
  blocks: Block[];
  /** What is wrong without running anything. */
  faults: string[];
};

const RUN = 'sh';
/** Names that would be shown as commands as well, and never be run. */
const OTHER_NAMES = ['bash', 'shell', 'zsh', 'shellscript'];
const FENCE = /^\s*(`{3,}|~{3,})\s*(\S*)/;

/** The blocks of a document in Markdown, and its faults as `path:line: what`. */
export function readPage(path: string, text: string): Page {
  const page: Page = { path, blocks: [], faults: [] };
  const fault = (line: number, what: string): void => void page.faults.push(`${path}:${line}: ${what}`);
  let waiting: { line: number; marker: Marker }[] = [];
  let heading = '';
  let open: { block: Block; fence: string } | undefined;

  text.split('\n').forEach((content, index) => {
    const line = index + 1;
    if (open !== undefined) {
      if (content.trim() === open.fence) open = undefined;
      else open.block.text += `${content}\n`;
      return;
    }
    const said = saidIn(content);
    if (said !== undefined) {
      const marker = content.trimEnd().endsWith('-->') ? readMarker(said) : undefined;
      if (marker === undefined) fault(line, `nobody knows what to do about “${said}”`);
      else waiting.push({ line, marker });
      return;
    }
    const [, fence, language = ''] = FENCE.exec(content) ?? [];
    if (fence !== undefined) {
      const block = { line, language, heading, text: '', markers: waiting.map(({ marker }) => marker) };
      page.blocks.push(block);
      open = { block, fence };
      if (language !== RUN && waiting.length > 0) fault(line, 'only a block of sh is run, and this is none');
    } else if (content.trim() !== '') {
      heading = /^#+ (.*)$/.exec(content)?.[1]?.trim() ?? heading;
      for (const { line: at } of waiting) fault(at, 'no block follows');
    } else {
      return;
    }
    waiting = [];
  });
  for (const { line: at } of waiting) fault(at, 'no block follows');
  if (open !== undefined) fault(open.block.line, 'the block has no end');
  for (const block of page.blocks) {
    const what = faultOf(block);
    if (what !== undefined) fault(block.line, what);
  }
  return page;
}

/** Those that are commands, in their order. */
export function commandsOf({ blocks }: Page): Block[] {
  return blocks.filter(({ language }) => language === RUN);
}

function faultOf({ language, text }: Block): string | undefined {
  if (OTHER_NAMES.includes(language)) return `commands are fenced as ${RUN}, or nobody runs them`;
  if (language !== '') return undefined;
  return /^\s*(\$|npx|npm) /m.test(text) ? `these look like commands; fence them as ${RUN}` : undefined;
}
