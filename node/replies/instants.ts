import { formatInstant } from './format.ts';

/** As fail2ban prints one: on the clock of its server. */
const CLOCK = /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)[ T](?<time>\d\d:\d\d)(?::\d\d)?$/;

/** A moment as a report keeps it, for people: an instant, the clock of a server, or the text as it is. */
export function shownMoment(text: string, timeZone: string): string {
  try {
    return formatInstant(Temporal.Instant.from(text), timeZone);
  } catch (error) {
    // Not an instant: a report has what the server said.
    if (!(error instanceof RangeError)) throw error;
  }
  const { year, month, day, time } = CLOCK.exec(text)?.groups ?? {};
  return time === undefined ? text : `${day}/${month}/${year} às ${time} (relógio do servidor)`;
}
