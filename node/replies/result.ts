import { formatWallTime } from '../commands/wall-time.ts';
import { expirySentence, MAY_END_EARLIER, RECORDING_FAULT } from './catalogue.ts';
import { listRow, listTable, notes, pairs, paragraph, remark, rowButton, section } from './components.ts';
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
import { inZips, zipButtons, zipLinks, zipsSentence } from './zip-parts.ts';

/** Recordings that are listed one by one, each with its link; the ZIPs have them all. */
export const MAX_LISTED = 100;
/** Gmail clips the HTML of a mail at 102 KB; long links lower the number of rows instead. */
export const MAX_HTML_BYTES = 98_000;
const MAX_TEXT_LINKS_BYTES = 150_000;

/** The recordings that were found: warnings first, one line each, the ZIPs at the end. */
export function resultMail(view: ResultView): ReplyMail {
  const listed = view.recordings.slice(0, MAX_LISTED);
  const rows = listed.map((recording) => rowHtml(recording, inZips(view)));
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
  const { recordings } = view;
  const warnings = warningGroups(view);
  const expires = formatInstant(view.expiresAt, view.timeZone);
  const more = moreSentence(view, rows.length);
  return page({
    title: headline(view),
    preheader: `${headline(view)}: ${extensionsPhrase(view.request.extensions)}, ${rangePhrase(view.request)}. Links até ${expires}.`,
    heading: headline(view),
    lead: html`${leadSentence(view)} Os links funcionam até <strong>${expires}</strong>${earlier(view)}.`,
    body: [
      boxes('warning', warnings),
      pairs(requestPairs(view.request, view.timeZone)),
      section('Gravações'),
      listTable(['Data e hora', 'Origem → destino', 'Ouvir'], rows),
      more === null ? null : paragraph(html`<br />${more}`),
      section(recordings.length === 1 ? 'Baixar' : 'Baixar todas'),
      paragraph(zipsSentence(view)),
      zipButtons(view),
      section('Sobre esta busca'),
      notes([...linkNotes(view), ...coverageNotes(view)]),
    ],
    footer: jobFooter(view.jobId, view.request.subject),
  });
}

function resultText(view: ResultView): string {
  const { recordings } = view;
  const text = new TextMail();
  const expires = formatInstant(view.expiresAt, view.timeZone);
  const links = `Os links funcionam até ${expires}${earlier(view)}.`;
  text.title(headline(view), '=').paragraph(`${leadSentence(view)} ${links}`);
  groupsText(text, warningGroups(view));
  text.title('O pedido').pairs(requestPairs(view.request, view.timeZone));

  text.title('Gravações');
  let bytes = 0;
  const shown = recordings
    .slice(0, MAX_LISTED)
    .filter(({ url }) => (bytes += url?.length ?? 0) <= MAX_TEXT_LINKS_BYTES);
  for (const recording of shown) {
    const remarks = recording.fault === null ? '' : ` (${RECORDING_FAULT[recording.fault]})`;
    const { startedAt, origin, destination, sizeBytes } = recording;
    const url = recording.url === null ? null : safeUrl(recording.url);
    const where = url === null ? ` | ${inZips(view)}` : '';
    text.line(
      `${formatWallTime(startedAt)} | ${origin} → ${destination} | ${formatSize(sizeBytes)}${where}${remarks}`,
    );
    if (url !== null) text.link(url, '  ');
  }
  const more = moreSentence(view, shown.length);
  if (more !== null) text.paragraph(more);

  text.title(recordings.length === 1 ? 'Baixar' : 'Baixar todas').line(zipsSentence(view));
  zipLinks(text, view);

  text.title('Sobre esta busca');
  for (const note of [...linkNotes(view), ...coverageNotes(view)]) text.item(note);
  footerText(text, jobFooter(view.jobId, view.request.subject));
  return text.toString();
}

/** As many as the confirmation told of, whatever became of them since. */
function headline({ recordings, leftOut }: ResultView): string {
  const found = plural(recordings.length + leftOut.length, 'gravação encontrada', 'gravações encontradas');
  return leftOut.length === 0 ? found : `${found}, ${plural(recordings.length, 'entregue', 'entregues')}`;
}

function leadSentence({ recordings, zips }: ResultView): string {
  if (recordings.length === 1)
    return 'Toque em Tocar para ouvir a gravação, ou baixe o ZIP no fim deste e-mail.';
  const all = zips.length === 1 ? 'no ZIP' : `em ${formatCount(zips.length)} ZIPs`;
  return `Toque em Tocar para ouvir uma gravação, ou baixe todas ${all}, no fim deste e-mail.`;
}

function earlier({ mayEndEarlier }: ResultView): string {
  return mayEndEarlier ? ', mas podem parar antes' : '';
}

function linkNotes(view: ResultView): string[] {
  const expiry = expirySentence(formatInstant(view.expiresAt, view.timeZone));
  return view.mayEndEarlier ? [expiry, MAY_END_EARLIER] : [expiry];
}

function moreSentence(view: ResultView, shown: number): string | null {
  const more = view.recordings.length - shown;
  if (more <= 0) return null;
  return more === 1
    ? `Há mais 1 gravação, que está ${inZips(view)} junto com as outras.`
    : `Há mais ${formatCount(more)} gravações, que estão ${inZips(view)} junto com as outras.`;
}

function rowHtml(recording: RecordingView, otherwise: string): Html {
  const { startedAt, origin, destination, fault, url } = recording;
  const warning = fault === null ? null : remark(RECORDING_FAULT[fault]);
  return listRow(
    formatWallTime(startedAt),
    html`${origin} → ${destination}${warning}`,
    (url === null ? null : rowButton(url, 'Tocar')) ?? otherwise,
  );
}
