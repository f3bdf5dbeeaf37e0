/** What may stand beside a message. Values are shortened and put on one line. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The log of a room. Secrets are not handed to it: rooms log codes, ids and counts. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields that stand on every line. */
  with(fields: LogFields): Log;
}

/** Levels as syslog numbers them (sd-daemon(3)): journald reads the `<n>` prefix and files the line under it. */
const PRIORITY = { error: 3, warn: 4, info: 6, debug: 7 } as const;
const MAX_VALUE_LENGTH = 400;

export type LogLevel = keyof typeof PRIORITY;

export interface LogOptions {
  readonly level: LogLevel;
  /** `journal` prefixes each line with its priority; `terminal` with the level in words. */
  readonly style: 'journal' | 'terminal';
  readonly write: (line: string) => void;
}

/** A log that writes one line a message: the sentence, then `key=value` for each field. */
export function createLog(options: LogOptions, fixed: LogFields = {}): Log {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (PRIORITY[level] > PRIORITY[options.level]) return;
    const lead = options.style === 'journal' ? `<${PRIORITY[level]}>` : `${level.padEnd(5)} `;
    options.write(`${lead}${oneLine(message)}${render({ ...fixed, ...fields })}\n`);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => createLog(options, { ...fixed, ...fields }),
  };
}

/** A log that says nothing. */
export const silentLog: Log = createLog({ level: 'error', style: 'terminal', write: () => undefined });

function render(fields: LogFields): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const shown = oneLine(String(value));
    text += ` ${key}=${/[\s"=]/.test(shown) || shown === '' ? JSON.stringify(shown) : shown}`;
  }
  return text;
}

/** Control characters would let a mail forge lines in the journal or drive a terminal. */
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  const flat = text.replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]+/g, ' ');
  return flat.length > MAX_VALUE_LENGTH ? `${flat.slice(0, MAX_VALUE_LENGTH)}…` : flat;
}
