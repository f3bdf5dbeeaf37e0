import type { MacFile, MacNamedFile, MacRecordFile } from './mac-declaration.ts';
import type { MacFileReport, MacReport, MacRequest } from './mac-phones.ts';
import { findHolders, findRecord, macBytesOf, type MacPlace, writePlace } from './mac-records.ts';
import { printMac } from './mac.ts';
import type { RemoteStat } from './remote.ts';

const MAX_DUPLICATES = 20;

/** A file as it was read, with what is kept of it. */
export interface FileNow {
  readonly content: Buffer;
  readonly stat: RemoteStat;
}

/** Why a file could not be read, where trying again would not help. */
export interface FileProblem {
  readonly code: 'file-missing' | 'file-unreadable' | 'file-kind' | 'file-too-large';
  readonly message: string;
}

/** A definition file of a declaration. */
export interface RecordRead {
  readonly file: MacRecordFile;
  readonly now: { readonly text: string; readonly found: FileNow } | FileProblem;
}

/** A provisioning file of a declaration, by the names it has for the two phones; null where it is not there. */
export interface NamedRead {
  readonly file: MacNamedFile;
  readonly from: FileNow | FileProblem | null;
  readonly to: FileNow | FileProblem | null;
  /** What is to be there anew, where a removal is taken back. */
  readonly anew: FileNow | null;
}

export interface PlannedEdit {
  readonly path: string;
  readonly before: FileNow;
  readonly after: Buffer;
}

/** A provisioning file gets another name, goes, or comes back. */
export interface PlannedMove {
  readonly path: string;
  /** Null: it goes. */
  readonly to: string | null;
  readonly file: FileNow;
  /** True where it is not there yet. */
  readonly anew: boolean;
}

export interface MacPlan {
  readonly edits: readonly PlannedEdit[];
  readonly moves: readonly PlannedMove[];
  /** Of a change as planned; backups are named when they are made. */
  readonly report: MacReport;
}

type Warning = MacReport['warnings'][number];

/**
 * Judges a request by what was read: the change to be made, or that there is none to make. All files must have what the
 * request says the extension has now; where all have what it is to have, it is done already.
 */
export function planChange(
  request: MacRequest,
  records: readonly RecordRead[],
  named: readonly NamedRead[],
): MacPlan | MacReport {
  const judged = records.map((read) => ({ read, ...judge(read, request.extension) }));
  const files = judged.map(({ read, place }) => unchanged(read.file.path, place));
  const faulty = judged.find(({ fault }) => fault !== null)?.fault;
  if (faulty != null) return refused(faulty, files);

  const places = judged.flatMap(({ read, place }) =>
    place === null || 'code' in read.now ? [] : [{ file: read.file, now: read.now, place }],
  );
  const duplicates = duplicatesOf(places, request);
  if (places.every(({ place }) => has(place, request.to))) {
    const warnings = named.flatMap((read) =>
      request.to !== null && read.to === null ? [lacking(read, request.to)] : [],
    );
    return { state: 'already', files, duplicates, refusal: null, warnings, backup: null };
  }
  const differing = places.find(({ place }) => !has(place, request.from));
  if (differing !== undefined) {
    return refused({ code: 'mac-differs', message: `${differing.file.path} has another MAC` }, files);
  }
  const { moves, warnings, fault: inTheWay } = planMoves(request, named);
  if (inTheWay !== null) return refused(inTheWay, files);

  const edits = places.map(({ file, now, place }) => ({
    path: file.path,
    before: now.found,
    after: macBytesOf(writePlace(now.text, place, file, request.to)),
  }));
  const reports = places.map(({ file, place }) => ({
    ...unchanged(file.path, place),
    after: request.to === null ? null : printMac(request.to, file.notation),
  }));
  const report: MacReport = {
    state: 'changed',
    files: [...reports, ...moves.map((move) => move.report)],
    ...{ duplicates, refusal: null, warnings, backup: null },
  };
  return { edits, moves: moves.map(({ move }) => move), report };
}

/** Whether the extension has this MAC there; what is no MAC is not the empty value. */
export function has(place: MacPlace, mac: string | null): boolean {
  return mac === null ? place.raw === null : place.mac === mac;
}

/** The one place of an extension in a file, or why there is none to speak of. */
export function judge(
  { file, now }: RecordRead,
  extension: string,
): { readonly place: MacPlace | null; readonly fault: MacReport['refusal'] } {
  if ('code' in now) return { place: null, fault: { code: now.code, message: now.message } };
  const { hasRecord, places } = findRecord(now.text, file, extension);
  const [place, second] = places;
  const fault = (code: string, message: string) => ({ place: null, fault: { code, message } });
  if (!hasRecord) return fault('extension-missing', `${file.path} has no record of ${extension}`);
  if (place === undefined)
    return fault('field-missing', `${file.path}: the record of ${extension} has no field for a MAC`);
  if (second !== undefined)
    return fault('record-ambiguous', `${file.path} has ${places.length} records of ${extension}`);
  return { place, fault: null };
}

/** The path of a provisioning file for a phone. */
export function pathFor({ path, notation }: MacNamedFile, mac: string): string {
  return path.replace('{mac}', () => printMac(mac, notation));
}

export function isRecordFile(file: MacFile): file is MacRecordFile {
  return file.kind !== 'rename';
}

export function refused(
  refusal: NonNullable<MacReport['refusal']>,
  files: readonly MacFileReport[],
): MacReport {
  return { state: 'refused', files, duplicates: [], refusal, warnings: [], backup: null };
}

function unchanged(path: string, place: MacPlace | null): MacFileReport {
  return { path, before: place?.raw ?? null, after: place?.raw ?? null, backup: null };
}

function duplicatesOf(
  places: readonly { readonly file: MacRecordFile; readonly now: { readonly text: string } }[],
  { to, extension }: MacRequest,
): MacReport['duplicates'] {
  if (to === null) return [];
  return places
    .flatMap(({ file, now }) =>
      findHolders(now.text, file, to, extension, MAX_DUPLICATES).map((holder) => ({
        path: file.path,
        extension: holder,
      })),
    )
    .slice(0, MAX_DUPLICATES);
}

function planMoves(
  { from, to }: MacRequest,
  named: readonly NamedRead[],
): {
  moves: { readonly move: PlannedMove; readonly report: MacFileReport }[];
  warnings: Warning[];
  fault: MacReport['refusal'];
} {
  const moves: { move: PlannedMove; report: MacFileReport }[] = [];
  const warnings: Warning[] = [];
  const fault = (refusal: MacReport['refusal']) => ({ moves: [], warnings: [], fault: refusal });
  for (const read of named) {
    const { file } = read;
    for (const found of [read.from, read.to])
      if (found !== null && 'code' in found) return fault({ ...found });
    const source = read.from === null || 'code' in read.from ? null : read.from;
    const target = to === null ? null : pathFor(file, to);
    if (source !== null && target !== null && read.to !== null) {
      return fault({ code: 'provisioning-exists', message: `${target} is there already` });
    }
    const report = { before: null, after: to === null ? null : printMac(to, file.notation), backup: null };
    if (source !== null && from !== null) {
      const path = pathFor(file, from);
      moves.push({
        move: { path, to: target, file: source, anew: false },
        report: { ...report, path, before: printMac(from, file.notation) },
      });
    } else if (target !== null && read.to === null && read.anew !== null) {
      moves.push({
        move: { path: target, to: target, file: read.anew, anew: true },
        report: { ...report, path: target },
      });
    } else if (to === null ? from !== null : read.to === null) {
      warnings.push(lacking(read, to ?? from ?? ''));
    }
  }
  return { moves, warnings, fault: null };
}

function lacking({ file }: NamedRead, mac: string): Warning {
  return { code: 'provisioning-missing', message: `${pathFor(file, mac)} is not there` };
}
