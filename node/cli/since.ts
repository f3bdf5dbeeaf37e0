import { InvalidArgumentError } from 'commander';
import type { Clock } from '../platform/clock.ts';

const AGO = /^(\d{1,5})(min|h|d)$/;
const UNITS = { min: 'minutes', h: 'hours', d: 'days' } as const;
const HOURS_PER_DAY = 24;

/** Reads a time as people write it, as RFC 3339 text: a day, a time of a day, an instant, or how long ago. */
export function sinceTime(clock: Clock): (text: string) => string {
  return (text) => {
    const ago = AGO.exec(text.trim());
    if (ago !== null) return agoOf(clock, Number(ago[1]), ago[2] as keyof typeof UNITS);
    for (const read of [Temporal.Instant.from, localInstant]) {
      try {
        return read(text.trim()).toString();
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    throw new InvalidArgumentError(
      'It must be as 2026-03-02, 2026-03-02T14:30, 2026-03-02T17:30:00Z, 12h or 7d.',
    );
  };
}

function agoOf(clock: Clock, count: number, unit: keyof typeof UNITS): string {
  const duration = unit === 'd' ? { hours: count * HOURS_PER_DAY } : { [UNITS[unit]]: count };
  return clock.now().subtract(duration).toString();
}

function localInstant(text: string): Temporal.Instant {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return Temporal.PlainDateTime.from(text).toZonedDateTime(zone).toInstant();
}
