import { AUTOMATIC } from './catalogue.ts';
import { safeUrl } from './html.ts';
import { cutText } from './subject-line.ts';
import { TEXT_WIDTH } from './text.ts';

/** A line of an answer that stands in a digest. */
export type DigestLine =
  | { readonly kind: 'line' | 'heading'; readonly text: string }
  | { readonly kind: 'link'; readonly url: string }
  | { readonly kind: 'blank' };

export interface DigestBody {
  /** The heading of the answer; null where it has none. */
  readonly title: string | null;
  readonly lines: readonly DigestLine[];
  /** Characters of all lines. */
  readonly length: number;
}

const RULE = /^(?:={3,}|-{3,})$/;
const MAX_LINE_LENGTH = 4000;
const CUT: DigestLine = { kind: 'line', text: '… (o restante não coube)' };

/**
 * The plain text of an answer of ours, read back into what it was made of (`text.ts`), so that it can be shown in HTML
 * without its line ends; without its footer's last words. At most `maxLength` characters.
 */
export function digestBody(text: string, maxLength: number): DigestBody {
  const source = text.split('\n').map((line) => line.trimEnd());
  const lines: DigestLine[] = [];
  let length = 0;
  let last: string | null = null; // the line before as it stands, where this one may go on with it
  for (const [index, line] of source.entries()) {
    if (RULE.test(line) || line === '--' || line === AUTOMATIC) {
      last = null;
      continue;
    }
    if (length + line.length > maxLength) {
      lines.push(CUT);
      break;
    }
    length += line.length;
    const read = readLine(line, source[index + 1] ?? '');
    const before = lines.at(-1);
    if (read.kind === 'line' && last !== null && before?.kind === 'line' && goesOn(last, line)) {
      lines[lines.length - 1] = { kind: 'line', text: `${before.text} ${read.text}` };
    } else if (read.kind !== 'blank' || (before !== undefined && before.kind !== 'blank')) {
      lines.push(read);
    }
    last = read.kind === 'line' ? line : null;
  }
  while (lines.at(-1)?.kind === 'blank') lines.pop();
  const [first] = lines;
  if (first?.kind !== 'heading') return { title: null, lines, length };
  return { title: first.text, lines: lines.slice(lines[1]?.kind === 'blank' ? 2 : 1), length };
}

function readLine(line: string, next: string): DigestLine {
  const text = line.trim();
  if (text === '') return { kind: 'blank' };
  const url = /^(?:https?:|mailto:)\S+$/.test(text) ? safeUrl(text) : null;
  if (url !== null) return { kind: 'link', url };
  return { kind: RULE.test(next) ? 'heading' : 'line', text: cutText(text, MAX_LINE_LENGTH) };
}

/** Whether a line was broken off the one before: its first word did not fit there. An item is a line of its own. */
function goesOn(before: string, line: string): boolean {
  const text = line.trimStart();
  if (text.startsWith('- ') || text.startsWith('• ')) return false;
  const [word = ''] = text.split(' ', 1);
  return before.length + 1 + word.length > TEXT_WIDTH;
}
