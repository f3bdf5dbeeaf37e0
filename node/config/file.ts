import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Largest configuration (or inventory, or certificate) file that is read. */
const MAX_CONFIG_BYTES = 1_048_576;
export const DEFAULT_CONFIG_FILE = '/etc/parelha/node.conf';
export const DEFAULT_STATE_DIR = '/var/lib/parelha';
const CONTROL_SOCKET_NAME = 'control.sock';
/** Linux takes 107 bytes (unix(7)); the socket is first bound under a name up to seven bytes longer. */
export const MAX_SOCKET_PATH_BYTES = 100;

/** A file with what is needed to judge who can read it. */
export interface TextFile {
  readonly text: string;
  /** Permission bits, as of stat(2). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export type ReadTextFile = (path: string) => Promise<TextFile>;

/** Reads a small UTF-8 file. @throws a system error, or `ERR_FS_FILE_TOO_LARGE` over {@link MAX_CONFIG_BYTES} */
export const readTextFile: ReadTextFile = async (path) => {
  const file = await open(path, 'r');
  try {
    const { mode, uid, gid } = await file.stat();
    const buffer = Buffer.alloc(MAX_CONFIG_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > MAX_CONFIG_BYTES) {
      throw Object.assign(new Error('too large'), { code: 'ERR_FS_FILE_TOO_LARGE' });
    }
    return { text: buffer.toString('utf8', 0, length), mode: mode & 0o7777, uid, gid };
  } finally {
    await file.close();
  }
};

/** Says in words why a file could not be read, for a message that already names the file. */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unexpected error';
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
    ERR_FS_FILE_TOO_LARGE: `it is larger than ${MAX_CONFIG_BYTES} bytes`,
  };
  return `cannot be read: ${words[code] ?? code}`;
}

/** `KEY=VALUE` at one line of a file. */
export interface Entry {
  readonly key: string;
  /** Without quotes, comment and surrounding blanks; empty where nothing is set. */
  readonly value: string;
  readonly line: number;
  /** What is wrong with the way the value is written; null where nothing is. */
  readonly fault: string | null;
  /** True where an unquoted value was cut at ` #`: harmless in a number, a danger in a password. */
  readonly cutAtComment: boolean;
}

/**
 * The lines of a `KEY=VALUE` file. `#` starts a comment at the start of a line, and after a blank in an
 * unquoted value; inside a value (`a#b`) and inside quotes it is an ordinary character. A value may be wrapped
 * in `"` or `'`; there are no escapes. BOM and CRLF are passed over. Lines that are neither come back in
 * `stray`, by number alone: their text could be part of a password.
 */
export function parseConfigText(text: string): {
  readonly entries: readonly Entry[];
  readonly stray: readonly number[];
} {
  const entries: Entry[] = [];
  const stray: number[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const [index, raw] of lines.entries()) {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const equals = content.indexOf('=');
    const key = content.slice(0, equals).trim();
    if (equals === -1 || !/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(key)) {
      stray.push(index + 1);
      continue;
    }
    entries.push({ key, line: index + 1, ...parseValue(content.slice(equals + 1)) });
  }
  return { entries, stray };
}

function parseValue(raw: string): Pick<Entry, 'value' | 'fault' | 'cutAtComment'> {
  const text = raw.trim();
  const quote = text[0];
  if (quote === '"' || quote === "'") {
    const end = text.indexOf(quote, 1);
    if (end === -1) return faulty('opens a quote that is not closed (wrap it in the other kind of quote)');
    const rest = text.slice(end + 1);
    if (rest !== '' && !/^\s+#/.test(rest)) return faulty('has text after the closing quote');
    return checked(text.slice(1, end), false);
  }
  const comment = raw.search(/\s#/);
  return comment === -1 ? checked(text, false) : checked(raw.slice(0, comment).trim(), true);
}

function checked(value: string, cutAtComment: boolean): Pick<Entry, 'value' | 'fault' | 'cutAtComment'> {
  const fault = faultOfCharacters(value);
  return { value, fault, cutAtComment };
}

function faulty(fault: string): Pick<Entry, 'value' | 'fault' | 'cutAtComment'> {
  return { value: '', fault, cutAtComment: false };
}

/** What is wrong with the characters of a value, wherever it was written; null where nothing is. */
export function faultOfCharacters(value: string): string | null {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/.test(value)) return 'holds a control character';
  // What is not UTF-8 was read as U+FFFD.
  return value.includes('\uFFFD') ? 'is not UTF-8 text' : null;
}

/** Where the daemon that a configuration file describes listens, from the two keys that decide it. */
export function controlSocketPath(
  configFile: string,
  controlSocket: string | null,
  stateDir: string | null,
): string {
  const base = dirname(resolve(configFile));
  if (controlSocket !== null) return resolve(base, controlSocket);
  return join(resolve(base, stateDir ?? DEFAULT_STATE_DIR), CONTROL_SOCKET_NAME);
}
