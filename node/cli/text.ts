const MAX_CELL_LENGTH = 200;
const SECONDS_PER_MINUTE = 60;
const SECONDS_PER_HOUR = 3600;
const SECONDS_PER_DAY = 86_400;
const BYTES_PER_UNIT = 1000;

/** Control characters (ESC among them), line separators, and marks that turn the direction of writing. */
// eslint-disable-next-line no-control-regex
const DANGEROUS = /[\u0000-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g;

/** Text from outside, made harmless for a terminal: what could drive it is shown as `\u{1b}`; shortened. */
export function neutral(text: string, maxLength = MAX_CELL_LENGTH): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return short.replaceAll(DANGEROUS, (mark) => `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same for text of several lines. */
export function neutralLines(text: string, maxLength = 10_000): string {
  return text
    .slice(0, maxLength)
    .split('\n')
    .map((line) => neutral(line, maxLength))
    .join('\n');
}

/** JSON for people and programs, with the marks that JSON lets through escaped too. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(DANGEROUS, (mark) =>
    mark === '\n' ? mark : `\\u${(mark.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** A column by its title; numbers stand to the right. */
export type Column = string | { readonly title: string; readonly right: boolean };

/** Rows under their titles, two blanks between columns, the last one not padded. Cells are made harmless. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [
    columns.map((column) => (typeof column === 'string' ? column : column.title)),
    ...rows.map((row) => row.map((cell) => neutral(cell))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    columns
      .map((column, index) => {
        const cell = row[index] ?? '';
        const width = widths[index] ?? 0;
        return typeof column === 'object' && column.right ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return cells.map(line).join('\n');
}

/** Names and what they are, one a line; nulls are left out. Values are made harmless. */
export function facts(pairs: readonly (readonly [string, string | null])[]): string {
  const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${neutral(value, 1000)}`).join('\n');
}

/** `1.4 MB`: decimal units, as disks and mails count. */
export function humanBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= BYTES_PER_UNIT && unit < units.length - 1) {
    value /= BYTES_PER_UNIT;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `1,024,912`: in the writing of English, as all that node-ctl says. */
export function humanCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `3 d 4 h`, `2 h 5 min`, `40 s`: the two largest units. */
export function humanDuration(seconds: number): string {
  const days = Math.floor(seconds / SECONDS_PER_DAY);
  const hours = Math.floor((seconds % SECONDS_PER_DAY) / SECONDS_PER_HOUR);
  const minutes = Math.floor((seconds % SECONDS_PER_HOUR) / SECONDS_PER_MINUTE);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

/** `40 s ago`; what is no instant is shown as it is. */
export function ago(instant: string, now: Temporal.Instant): string {
  try {
    const seconds = now.since(Temporal.Instant.from(instant)).total('seconds');
    return `${humanDuration(Math.max(0, seconds))} ago`;
  } catch (error) {
    if (error instanceof RangeError) return instant;
    throw error;
  }
}

/** An instant as wall-clock time of this machine's zone, to the second; what is no instant is shown as it is. */
export function localTime(instant: string): string {
  try {
    const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    const local = Temporal.Instant.from(instant).toZonedDateTimeISO(zone).toPlainDateTime();
    return local.toString({ smallestUnit: 'second' }).replace('T', ' ');
  } catch (error) {
    if (error instanceof RangeError) return instant;
    throw error;
  }
}
