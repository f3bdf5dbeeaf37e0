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
  return recordings.map((recording) => {
    const stamp = recording.startedAt.replaceAll(/[-:]/g, '').replace('T', '-');
    const stem = `${stamp}_${clean(recording.origin)}_${clean(recording.destination)}`;
    const extension = recording.format.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 8) || 'bin';
    for (let number = 1; ; number += 1) {
      const fileName = `${stem}${number === 1 ? '' : `-${number}`}.${extension}`;
      const folded = fileName.toLowerCase();
      if (taken.has(folded)) continue;
      taken.add(folded);
      return { recording, fileName };
    }
  });
}

/** `gravacoes-20251027-0800.zip`, after the first recording in it. */
export function nameZip(recordings: readonly Recording[]): string {
  const first = recordings.map((recording) => recording.startedAt).toSorted()[0] ?? '';
  return `gravacoes-${first.slice(0, 10).replaceAll('-', '')}-${first.slice(11, 16).replace(':', '')}.zip`;
}

/** Anonymous callers leave the field empty. */
function clean(number: string): string {
  const kept = number.replaceAll(/[^A-Za-z0-9._-]/g, '').slice(0, MAX_NUMBER_LENGTH);
  return kept === '' ? 'desconhecido' : kept;
}
