import type { Fault } from '../commands/command.ts';
import { formatWallTime } from '../commands/wall-time.ts';
import {
  ANY_SERVER,
  archivedAdvice,
  AUTOMATIC,
  LABEL,
  QUEUE_CALLS,
  RECORDING_FAULT,
  serverSentence,
  sourceName,
  unreadableSentence,
  zoneName,
} from './catalogue.ts';
import { box, section } from './components.ts';
import { faultSentence, fieldLabel } from './fault-sentences.ts';
import { formatCount, listWords, plural, shortId } from './format.ts';
import { type Html, html, type HtmlValue } from './html.ts';
import { cutText, shownSubject } from './subject-line.ts';
import type { TextMail } from './text.ts';
import type { CoverageView, JobView, RecordingView, RequestView } from './views.ts';

/** Recordings with a fault that a mail lists one by one where `manifesto.csv` in the ZIP has them all. */
const MAX_FAULTY_SHOWN = 10;
/** The same where there is no ZIP. */
const MAX_FAULTY_SHOWN_ALONE = 20;
/** Extensions that a mail lists; more come only from limits set very high. */
const MAX_EXTENSIONS_SHOWN = 50;

/** Phone numbers have 15 digits at most (E.164). */
const MAX_NUMBER_LENGTH = 24;

/** Extensions that a sentence names. */
const MAX_EXTENSIONS_NAMED = 3;

export type Pair = readonly [label: string, value: string];

/** What was asked for, as it was understood. */
export function requestPairs(request: RequestView, timeZone: string | null): Pair[] {
  const zone = timeZone === null ? '' : ` (${zoneName(timeZone)})`;
  return [
    [LABEL.extensions, extensionList(request.extensions)],
    [LABEL.from, formatWallTime(request.start)],
    [LABEL.until, `${formatWallTime(request.end)}${zone}`],
    [LABEL.server, request.server ?? ANY_SERVER],
    ...(request.requester === null ? [] : [[LABEL.requester, request.requester] as const]),
  ];
}

/** The request and where it was searched. */
export function jobPairs(view: JobView): Pair[] {
  return [...requestPairs(view.request, view.timeZone), [LABEL.source, sourceName(view.source)]];
}

/** `ramal 1121` or `ramais 1121 e 1122`. */
export function extensionsPhrase(extensions: readonly string[]): string {
  return `${extensions.length === 1 ? 'ramal' : 'ramais'} ${fewExtensions(extensions)}`;
}

/** `1121, 1122, 1123 e mais 2`. */
export function fewExtensions(extensions: readonly string[]): string {
  const shown = extensions.slice(0, MAX_EXTENSIONS_NAMED);
  const more = extensions.length - shown.length;
  return listWords(more > 0 ? [...shown, `mais ${more}`] : shown);
}

/** `27/10/2025 08:00 a 28/10/2025 18:00`, without seconds: for lines to glance at. */
export function rangePhrase({ start, end }: RequestView): string {
  return `${formatWallTime(start).slice(0, 16)} a ${formatWallTime(end).slice(0, 16)}`;
}

/** What a search covered beside what `jobPairs` says, and what it cannot. */
export function coverageNotes(
  view: Pick<JobView, 'request'> & Pick<CoverageView, 'narrowedByServer'>,
): string[] {
  const server = serverSentence(view.request.server, view.narrowedByServer);
  return server === null ? [QUEUE_CALLS] : [server, QUEUE_CALLS];
}

/** Something with a title and its lines: shown as a box, or as a list in plain text. */
export interface Group {
  readonly title: string;
  readonly lines: readonly string[];
}

type FaultyView = Pick<RecordingView, 'startedAt' | 'origin' | 'destination' | 'fault'>;

/** What a person must know before reading a result; empty where all is well. */
export function warningGroups(
  view: CoverageView & {
    readonly recordings?: readonly FaultyView[];
    readonly zips?: readonly unknown[];
  },
): Group[] {
  const groups: Group[] = [];
  const zips = view.zips?.length ?? 0;
  if (view.unreadable > 0) {
    groups.push({ title: 'Resultado incompleto', lines: [unreadableSentence(view.unreadable)] });
  }
  const archived = view.leftOut.filter(({ fault }) => fault === 'archived');
  const leftOut = view.leftOut.filter(({ fault }) => fault !== 'archived');
  if (archived.length > 0) {
    const found = plural(
      archived.length,
      'gravação está arquivada e ficou',
      'gravações estão arquivadas e ficaram',
    );
    const lines = [archivedAdvice(archived.length), ...faultLines(archived, zips)];
    groups.push({ title: `${found} de fora`, lines });
  }
  if (leftOut.length > 0) {
    const found = plural(leftOut.length, 'gravação encontrada ficou', 'gravações encontradas ficaram');
    groups.push({ title: `${found} de fora`, lines: faultLines(leftOut, zips) });
  }
  const doubtful = (view.recordings ?? []).filter(({ fault }) => fault !== null);
  if (doubtful.length > 0) {
    const title = plural(
      doubtful.length,
      'gravação entregue pode estar incompleta',
      'gravações entregues podem estar incompletas',
    );
    groups.push({ title, lines: faultLines(doubtful, zips) });
  }
  return groups;
}

/** Who called or was called, from the name of a file: nobody promises that it is a number. */
export function shownNumber(text: string): string {
  return cutText(text, MAX_NUMBER_LENGTH);
}

/** Ends the line after a list that was cut. */
function whereTheRestIs(zips: number): string {
  if (zips === 0) return '.';
  return zips === 1
    ? '; a lista completa está no manifesto.csv, dentro do ZIP.'
    : '; a lista completa está nos arquivos manifesto, dentro dos ZIPs.';
}

function faultLines(recordings: readonly FaultyView[], zips: number): string[] {
  const shown = recordings.slice(0, zips === 0 ? MAX_FAULTY_SHOWN_ALONE : MAX_FAULTY_SHOWN);
  const lines = shown.map(({ startedAt, origin, destination, fault }) => {
    const what = fault === null || fault === 'archived' ? '' : `: ${RECORDING_FAULT[fault]}`;
    return `${formatWallTime(startedAt)}, ${shownNumber(origin)} → ${shownNumber(destination)}${what}`;
  });
  const more = recordings.length - lines.length;
  return more > 0 ? [...lines, `… e mais ${formatCount(more)}${whereTheRestIs(zips)}`] : lines;
}

/** Fields of faults that nobody writes in a subject. */
const NOT_IN_SUBJECTS: ReadonlySet<string> = new Set(['SUBJECT', 'MAIL', 'SYSTEM']);

/** Faults grouped under their fields, in the order found, each fix said once. */
export function faultGroups(faults: readonly Fault[]): Group[] {
  const byTitle = new Map<string, string[]>();
  for (const fault of faults) {
    const label = fieldLabel(fault.field);
    const title =
      label === fault.field || NOT_IN_SUBJECTS.has(fault.field) ? label : `${label} (${fault.field})`;
    const lines = byTitle.get(title) ?? [];
    const { problem, fix } = faultSentence(fault);
    const line = lines.at(-1)?.endsWith(fix) === true ? problem : `${problem} ${fix}`;
    byTitle.set(title, [...lines, line]);
  }
  return [...byTitle].map(([title, lines]) => ({ title, lines }));
}

/** Groups of warnings or faults as boxes. */
export function boxes(kind: 'warning' | 'error', groups: readonly Group[]): Html[] {
  return groups.map(({ title, lines }) => box(kind, title, lines));
}

/** The same groups in plain text. */
export function groupsText(text: TextMail, groups: readonly Group[]): void {
  for (const { title, lines } of groups) {
    text.paragraph(`${title}:`);
    for (const line of lines) text.item(line);
  }
}

/** The section that says how a subject arrived. */
export function receivedHtml(subject: string, shown: (text: string) => Html): HtmlValue {
  return html`${section(LABEL.subject)}${shown(shownSubject(subject))}`;
}

/** Small print under every mail about a job. */
export function jobFooter(jobId: string, subject: string): string[] {
  return [`${LABEL.request} ${shortId(jobId)} · ${LABEL.subject}: ${shownSubject(subject)}`, AUTOMATIC];
}

/** The small print of the text part. */
export function footerText(text: TextMail, lines: readonly string[]): void {
  text.blank().line('-- ');
  for (const line of lines) text.line(line);
}

function extensionList(extensions: readonly string[]): string {
  const more = extensions.length - MAX_EXTENSIONS_SHOWN;
  const shown = extensions.slice(0, MAX_EXTENSIONS_SHOWN).join(', ');
  return more > 0 ? `${shown} e mais ${more}` : shown;
}
