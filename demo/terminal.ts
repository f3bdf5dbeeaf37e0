import { styleText } from 'node:util';

const LABEL_WIDTH = 52;
const SPIN_EVERY_MS = 90;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** Ends the line to the right of the cursor (ECMA-48, EL). */
const ERASE_LINE = '\r\u001B[K';

/** What the demo prints: steps that tick as they happen on a terminal, plain lines elsewhere. */
export interface Terminal {
  title(text: string): void;
  line(text?: string): void;
  /** Says that something is left out, and why. */
  leftOut(what: string, why: string): void;
  /** Shows a step while `work` runs, then a tick, how long it took, and what `work` says of it. */
  step<T>(label: string, work: () => Promise<T>, describe?: (result: T) => string): Promise<T>;
}

type Style = Parameters<typeof styleText>[0];

/** Colours and movement only where `stream` is a terminal (and NO_COLOR is not set). Once `stopped`, no step is begun. */
export function createTerminal(stream: NodeJS.WriteStream, stopped: AbortSignal): Terminal {
  const paint = (style: Style, text: string): string => styleText(style, text, { stream });
  const line = (text = ''): void => {
    stream.write(`${text}\n`);
  };
  const spin = (label: string): (() => void) => {
    if (!stream.isTTY) return () => undefined;
    let turn = 0;
    const draw = (): void => {
      stream.write(`${ERASE_LINE}  ${paint('cyan', SPINNER[turn++ % SPINNER.length] ?? '')} ${label}`);
    };
    draw();
    const timer = setInterval(draw, SPIN_EVERY_MS);
    return () => {
      clearInterval(timer);
      stream.write(ERASE_LINE);
    };
  };
  return {
    line,
    title: (text) => line(`\n${paint('bold', text)}`),
    leftOut: (what, why) => line(`  ${paint('yellow', '–')} ${what}: ${paint('dim', why)}`),
    step: async (label, work, describe) => {
      stopped.throwIfAborted();
      const started = performance.now();
      const stop = spin(label);
      try {
        const result = await work();
        stop();
        const note = describe?.(result);
        const took = duration(performance.now() - started).padStart(7);
        const rest = note === undefined ? '' : `  ${paint('dim', note)}`;
        line(`  ${paint('green', '✓')} ${label.padEnd(LABEL_WIDTH)}${paint('dim', took)}${rest}`);
        return result;
      } catch (error) {
        stop();
        if (!stopped.aborted) line(`  ${paint('red', '✗')} ${label}`);
        throw error;
      }
    },
  };
}

function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
