import type { Recording } from '../recordings/source.ts';

const MAX_NUMBER_LENGTH = 32;

/** A recording and the name it is delivered under, in the ZIP and singly. */
export interface NamedRecording {
  readonly recording: Recording;
  readonly fileName: string;
}

/**
 * Names of ours for recordings, `20251027-080102_1121_5511999990000.wav`: they sort by time, hold nothing but
 * letters, digits, `.`, `_` and `-`, and no two are alike, in any case of letters. The order is kept.
 */
export function nameRecordings(recordings: readonly Recording[]): readonly NamedRecording[] {
  const taken = new Set<string>();
  /** Where numbers go on, by what they are put behind: many can begin in one second. */
  const next = new Map<string, number>();
  return recordings.map((recording) => {
    const stamp = recording.startedAt.replaceAll(/[-:]/g, '').replace('T', '-');
    const stem = `${stamp}_${clean(recording.origin)}_${clean(recording.destination)}`;
    const extension = recording.format.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 8) || 'bin';
    const alike = `${stem}.${extension}`.toLowerCase();
    for (let number = next.get(alike) ?? 1; ; number += 1) {
      const fileName = `${stem}${number === 1 ? '' : `-${number}`}.${extension}`;
      const folded = fileName.toLowerCase();
      if (taken.has(folded)) continue;
      taken.add(folded);
      next.set(alike, number + 1);
      return { recording, fileName };
    }
  });
}

/** Which of several ZIPs one is. */
export interface Part {
  readonly number: number;
  readonly of: number;
}

/** `gravacoes-20251027-0800.zip`, after the first recording of the result; `-parte-1-de-3` where there are several. */
export function nameZip(recordings: readonly Recording[], part: Part): string {
  const first = recordings.map((recording) => recording.startedAt).toSorted()[0] ?? '';
  const stamp = `${first.slice(0, 10).replaceAll('-', '')}-${first.slice(11, 16).replace(':', '')}`;
  return `gravacoes-${stamp}${suffixOf(part)}.zip`;
}

/** `manifesto.csv`; named after its part where there are several, so that they can be unpacked into one folder. */
export function nameManifest(part: Part): string {
  return `manifesto${suffixOf(part)}.csv`;
}

/** With leading zeros where there are ten or more: names sort in the order of the parts. */
function suffixOf({ number, of }: Part): string {
  return of === 1 ? '' : `-parte-${String(number).padStart(String(of).length, '0')}-de-${of}`;
}

/** Anonymous callers leave the field empty. */
function clean(number: string): string {
  const kept = number.replaceAll(/[^A-Za-z0-9._-]/g, '').slice(0, MAX_NUMBER_LENGTH);
  return kept === '' ? 'desconhecido' : kept;
}
