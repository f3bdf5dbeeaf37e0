const KIB = 1024;
const UNITS = ['KB', 'MB', 'GB', 'TB'] as const;

/** How many hexadecimal digits of a job's id people see. Not 8, which a door token has. */
const SHORT_ID_LENGTH = 12;

/** `12,3 MB`; steps of 1024, as file managers count. */
export function formatSize(bytes: number): string {
  if (bytes < KIB) return `${bytes} bytes`;
  let value = bytes;
  let unit = -1;
  do {
    value /= KIB;
    unit++;
    // Four digits before the comma are hard to read: 1004,0 KB is 1,0 MB.
  } while (value >= 999.95 && unit < UNITS.length - 1);
  return `${value.toFixed(1).replace('.', ',')} ${UNITS[unit]}`;
}

/** An instant as `28/10/2025 às 15:04` on the clock of the zone. */
export function formatInstant(instant: Temporal.Instant, timeZone: string): string {
  const at = instant.toZonedDateTimeISO(timeZone);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(at.day)}/${two(at.month)}/${at.year} às ${two(at.hour)}:${two(at.minute)}`;
}

/** `1.234`. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, '.');
}

/** `1 gravação`, `2 gravações`. */
export function plural(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `a`, `a e b`, `a, b e c`. */
export function listWords(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} e ${last}`;
}

/** The part of a job's id that people see and can ask about. */
export function shortId(jobId: string): string {
  return jobId.slice(0, SHORT_ID_LENGTH);
}
