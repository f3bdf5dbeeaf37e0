import type { Io } from './context.ts';
import { neutral } from './text.ts';

const MAX_LINE_LENGTH = 100;
const REDRAW = '\r\u001B[K';

/** A line of the terminal that is drawn over; nothing at all where nobody watches. */
export interface ProgressLine {
  show(text: string): void;
  /** Leaves the line as it is and goes to the next. */
  leave(): void;
  /** Wipes it, so that what is printed next stands in its place. */
  clear(): void;
}

export function createProgressLine(io: Io): ProgressLine {
  let shown = '';
  return {
    show: (text) => {
      const line = neutral(text, MAX_LINE_LENGTH);
      if (!io.errIsTerminal || line === shown) return;
      io.err(`${REDRAW}${line}`);
      shown = line;
    },
    leave: () => {
      if (shown !== '') io.err('\n');
      shown = '';
    },
    clear: () => {
      if (shown !== '') io.err(REDRAW);
      shown = '';
    },
  };
}
