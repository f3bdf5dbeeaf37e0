import { formatWallTime } from '../commands/wall-time.ts';
import { RECORDING_FAULT } from './catalogue.ts';
import {
  button,
  listRow,
  listTable,
  notes,
  pairs,
  paragraph,
  remark,
  rowButton,
  section,
} from './components.ts';
import { formatCount, formatInstant, formatSize, plural } from './format.ts';
import { type Html, html, safeUrl } from './html.ts';
import { page } from './page.ts';
import {
  boxes,
  coverageNotes,
  extensionsPhrase,
  footerText,
  groupsText,
  jobFooter,
  rangePhrase,
  requestPairs,
  warningGroups,
} from './parts.ts';
import { replySubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { RecordingView, ReplyMail, ResultView } from './views.ts';

/** Recordings listed one by one; the ZIP has them all. */
const MAX_ROWS = 100;
/** Gmail clips the HTML of a mail at 102 KB; long links lower the number of rows instead. */
export const MAX_HTML_BYTES = 98_000;
const MAX_TEXT_LINKS_BYTES = 150_000;

/** The recordings that were found: warnings first, one line each, the ZIP at the end. */
export function resultMail(view: ResultView): ReplyMail {
  const rows = view.recordings.slice(0, MAX_ROWS).map(rowHtml);
  const empty = Buffer.byteLength(resultHtml(view, []));
  let bytes = empty;
  const fitting = rows.filter((row) => (bytes += Buffer.byteLength(row.source)) <= MAX_HTML_BYTES);
  return {
    subject: replySubject(view.request.subject),
    text: resultText(view),
    html: resultHtml(view, fitting),
  };
}

function resultHtml(view: ResultView, rows: readonly Html[]): string {
  const { recordings, zip } = view;
  const warnings = warningGroups(view);
  const expires = formatInstant(view.expiresAt, view.timeZone);
  const more = moreSentence(recordings.length, rows.length);
  return page({
    title: headline(view),
    preheader: `${headline(view)}: ${extensionsPhrase(view.request.extensions)}, ${rangePhrase(view.request)}. Links até ${expires}.`,
    heading: headline(view),
    lead: html`${leadSentence(view)} Os links funcionam até <strong>${expires}</strong>.`,
    body: [
      boxes('warning', warnings),
      pairs(requestPairs(view.request, view.timeZone)),
      section('Gravações'),
      listTable(['Data e hora', 'Origem → destino', 'Ouvir'], rows),
      more === null ? null : paragraph(html`<br />${more}`),
      section(recordings.length === 1 ? 'Baixar' : 'Baixar todas'),
      paragraph(zipSentence(view)),
      html`<p style="margin:0 0 6px">${button(zip.url, `Baixar o ZIP (${formatSize(zip.sizeBytes)})`)}</p>`,
      section('Sobre esta busca'),
      notes([
        `Os links valem até ${expires}; depois disso, os arquivos são apagados.`,
        ...coverageNotes(view),
      ]),
    ],
    footer: jobFooter(view.jobId, view.request.subject),
  });
}

function resultText(view: ResultView): string {
  const { recordings, zip } = view;
  const text = new TextMail();
  const expires = formatInstant(view.expiresAt, view.timeZone);
  text.title(headline(view), '=').paragraph(`${leadSentence(view)} Os links funcionam até ${expires}.`);
  groupsText(text, warningGroups(view));
  text.title('O pedido').pairs(requestPairs(view.request, view.timeZone));

  text.title('Gravações');
  let bytes = 0;
  const shown = recordings
    .slice(0, MAX_ROWS)
    .filter((recording) => (bytes += recording.url.length) <= MAX_TEXT_LINKS_BYTES);
  for (const recording of shown) {
    const remarks = recording.fault === null ? '' : ` (${RECORDING_FAULT[recording.fault]})`;
    const { startedAt, origin, destination, sizeBytes } = recording;
    text.line(
      `${formatWallTime(startedAt)} | ${origin} → ${destination} | ${formatSize(sizeBytes)}${remarks}`,
    );
    const url = safeUrl(recording.url);
    if (url !== null) text.link(url, '  ');
  }
  const more = moreSentence(recordings.length, shown.length);
  if (more !== null) text.paragraph(more);

  text.title(recordings.length === 1 ? 'Baixar' : 'Baixar todas').line(zipSentence(view));
  const url = safeUrl(zip.url);
  if (url !== null) text.link(url, '  ');

  text
    .title('Sobre esta busca')
    .item(`Os links valem até ${expires}; depois disso, os arquivos são apagados.`);
  for (const note of coverageNotes(view)) text.item(note);
  footerText(text, jobFooter(view.jobId, view.request.subject));
  return text.toString();
}

function headline({ recordings }: ResultView): string {
  return plural(recordings.length, 'gravação encontrada', 'gravações encontradas');
}

function leadSentence({ recordings }: ResultView): string {
  return recordings.length === 1
    ? 'Toque em Tocar para ouvir a gravação, ou baixe o ZIP no fim deste e-mail.'
    : 'Toque em Tocar para ouvir uma gravação, ou baixe todas no ZIP, no fim deste e-mail.';
}

function zipSentence({ recordings, zip }: ResultView): string {
  const what = recordings.length === 1 ? 'A gravação' : `As ${formatCount(recordings.length)} gravações`;
  return `${what} e a lista manifesto.csv, em um só arquivo: ${zip.fileName} (${formatSize(zip.sizeBytes)}).`;
}

function moreSentence(all: number, shown: number): string | null {
  const more = all - shown;
  if (more <= 0) return null;
  return more === 1
    ? 'Há mais 1 gravação, que está no ZIP junto com as outras.'
    : `Há mais ${formatCount(more)} gravações, que estão no ZIP junto com as outras.`;
}

function rowHtml(recording: RecordingView): Html {
  const { startedAt, origin, destination, fault } = recording;
  const warning = fault === null ? null : remark(RECORDING_FAULT[fault]);
  return listRow(
    formatWallTime(startedAt),
    html`${origin} → ${destination}${warning}`,
    rowButton(recording.url, 'Tocar') ?? 'no ZIP',
  );
}
