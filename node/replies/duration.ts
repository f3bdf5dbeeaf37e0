import { formatCount, plural } from './format.ts';

/** Sound of several recordings together, as far as their headers tell. */
export interface Sound {
  readonly count: number;
  readonly seconds: number;
  readonly ofUnknownLength: number;
}

const UNKNOWN = 'duração desconhecida';

/** `45 s`, `3 min 05 s`, `1 h 02 min`; what lasts less than a second is not nothing. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 1) return seconds > 0 ? 'menos de 1 s' : '0 s';
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${padded(whole % 60, 's')}`;
  return `${formatCount(Math.floor(minutes / 60))} h${padded(minutes % 60, 'min')}`;
}

/** As `formatDuration`; says so where nothing tells how long it is. */
export function durationText(seconds: number | null): string {
  return seconds === null ? UNKNOWN : formatDuration(seconds);
}

/** The sound of these together. */
export function soundOf(recordings: readonly { readonly seconds: number | null }[]): Sound {
  let [seconds, ofUnknownLength] = [0, 0];
  for (const recording of recordings) {
    if (recording.seconds === null) ofUnknownLength++;
    else seconds += recording.seconds;
  }
  return { count: recordings.length, seconds, ofUnknownLength };
}

/** How much there is to hear, said after a count of recordings; `duração desconhecida` where nothing tells. */
export function soundPhrase({ count, seconds, ofUnknownLength }: Sound): string {
  if (count > 0 && ofUnknownLength === count) return UNKNOWN;
  const known = `${formatDuration(seconds)} de áudio`;
  if (ofUnknownLength === 0) return known;
  return `${known}, mais ${plural(ofUnknownLength, 'gravação', 'gravações')} de duração desconhecida`;
}

function padded(value: number, unit: string): string {
  return value === 0 ? '' : ` ${String(value).padStart(2, '0')} ${unit}`;
}
