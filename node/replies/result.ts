import { formatWallTime } from '../commands/wall-time.ts';
import { DOUBTFUL, expirySentence, MAY_END_EARLIER, silentSentence } from './catalogue.ts';
import {
  button,
  linkButton,
  listRow,
  listTable,
  notes,
  pairs,
  paragraph,
  remark,
  rowButton,
  section,
} from './components.ts';
import { durationText, soundOf, soundPhrase } from './duration.ts';
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
  jobPairs,
  rangePhrase,
  shownNumber,
  warningGroups,
} from './parts.ts';
import { replySubject } from './subject-line.ts';
import { TextMail } from './text.ts';
import type { RecordingView, ReplyMail, ResultView } from './views.ts';
import { inZips, zipButtons, zipLinks, zipsSentence } from './zip-parts.ts';

/** Recordings that are listed one by one, each with its link; the page and the ZIPs have them all. */
export const MAX_LISTED = 100;
/** Gmail clips the HTML of a mail at 102 KB; long links lower the number of rows instead. */
export const MAX_HTML_BYTES = 98_000;
const MAX_TEXT_LINKS_BYTES = 150_000;

/** The recordings that were found: warnings first, one line each, the ZIPs at the end. */
export function resultMail(view: ResultView): ReplyMail {
  const listed = view.recordings.slice(0, MAX_LISTED);
  const rows = listed.map((recording) => rowHtml(recording, inZips(view)));
  // A list that is cut has more to say: measured with no row at all.
  let bytes = Buffer.byteLength(resultHtml(view, []));
  const fitting = rows.filter((row) => (bytes += Buffer.byteLength(row.source)) <= MAX_HTML_BYTES);
  return {
    subject: replySubject(view.request.subject),
    text: resultText(view),
    html: resultHtml(view, fitting),
  };
}

function resultHtml(view: ResultView, rows: readonly Html[]): string {
  const { recordings } = view;
  const expires = formatInstant(view.expiresAt, view.timeZone);
  const more = moreSentence(view, rows.length);
  const toPage = view.pageUrl === null ? null : safeUrl(view.pageUrl);
  const whole = pageLabel(view);
  const silent = whySilent(view);
  return page({
    title: headline(view),
    preheader: `${headline(view)}, ${soundPhrase(soundOf(recordings))}: ${extensionsPhrase(view.request.extensions)}, ${rangePhrase(view.request)}. Links até ${expires}.`,
    heading: headline(view),
    lead: html`${leadSentence(view, 'html')} Os links funcionam até <strong>${expires}</strong>${earlier(view)}.`,
    body: [
      boxes('warning', warningGroups(view)),
      recordings.length > 1 &&
        toPage !== null &&
        html`<p style="margin:0 0 16px">${button(toPage, whole)}</p>`,
      pairs(jobPairs(view)),
      section('Gravações'),
      silent !== null && paragraph(silent),
      listTable(['Data e hora', 'De → para', 'Ouvir'], rows),
      more === null ? null : html`<p style="margin:14px 0 0">${more}</p>`,
      // At the end of a short list the button above it is still in sight.
      (recordings.length === 1 || more !== null) &&
        toPage !== null &&
        html`<p style="margin:14px 0 0">${linkButton(toPage, whole)}</p>`,
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
  text.title(headline(view), '=').paragraph(`${leadSentence(view, 'text')} ${links}`);
  groupsText(text, warningGroups(view));
  const toPage = view.pageUrl === null ? null : safeUrl(view.pageUrl);
  if (toPage !== null) text.paragraph(`${pageLabel(view)}:`).link(toPage, '  ');
  text.title('O pedido').pairs(jobPairs(view));

  text.title('Gravações');
  const silent = whySilent(view);
  if (silent !== null) text.line(silent, '', '').blank();
  let bytes = 0;
  const shown = recordings
    .slice(0, MAX_LISTED)
    .filter(({ url }) => (bytes += url?.length ?? 0) <= MAX_TEXT_LINKS_BYTES);
  for (const recording of shown) recordingText(text, recording, inZips(view));
  const more = moreSentence(view, shown.length);
  if (more !== null) text.paragraph(more);

  text.title(recordings.length === 1 ? 'Baixar' : 'Baixar todas').line(zipsSentence(view), '', '');
  zipLinks(text, view);

  text.title('Sobre esta busca');
  for (const note of [...linkNotes(view), ...coverageNotes(view)]) text.item(note);
  footerText(text, jobFooter(view.jobId, view.request.subject));
  return text.toString();
}

function recordingText(text: TextMail, recording: RecordingView, otherwise: string): void {
  const { startedAt, origin, destination, sizeBytes, seconds } = recording;
  const url = recording.url === null ? null : safeUrl(recording.url);
  const facts = [
    formatWallTime(startedAt),
    `${shownNumber(origin)} → ${shownNumber(destination)}`,
    durationText(seconds),
    formatSize(sizeBytes),
    ...(url === null ? [otherwise] : recording.plays ? [] : ['não toca no navegador']),
  ];
  const remarks = recording.fault === null ? '' : ` (${DOUBTFUL})`;
  text.line(`${facts.join(' | ')}${remarks}`);
  if (url !== null) text.link(url, '  ');
}

/** As many as the confirmation told of, whatever became of them since. */
function headline({ recordings, leftOut }: ResultView): string {
  const found = plural(recordings.length + leftOut.length, 'gravação encontrada', 'gravações encontradas');
  return leftOut.length === 0 ? found : `${found}, ${plural(recordings.length, 'entregue', 'entregues')}`;
}

function leadSentence({ recordings, zips }: ResultView, body: 'html' | 'text'): string {
  const one = recordings.length === 1;
  const sound = soundOf(recordings);
  const length =
    sound.ofUnknownLength === sound.count
      ? `A duração ${one ? '' : 'delas '}não é conhecida.`
      : `${one ? 'Duração' : 'No total'}: ${soundPhrase(sound)}.`;
  const all = zips.length === 1 ? 'no ZIP' : `em ${formatCount(zips.length)} ZIPs`;
  const whole = one ? 'baixe o ZIP no fim deste e-mail' : `baixe todas ${all}, no fim deste e-mail`;
  return `${length} ${hearSentence(recordings, body)}, ou ${whole}.`;
}

/** What to do to hear one; a plain text has links instead of buttons. */
function hearSentence(recordings: readonly RecordingView[], body: 'html' | 'text'): string {
  const which = recordings.length === 1 ? 'a gravação' : 'uma gravação';
  if (body === 'text') return `Abra o link para ouvir ${which}`;
  return recordings.some(({ plays }) => plays)
    ? `Toque em Tocar para ouvir ${which}`
    : `Toque em Baixar para ouvir ${which} no seu aparelho`;
}

function earlier({ mayEndEarlier }: ResultView): string {
  return mayEndEarlier ? ', mas podem parar antes' : '';
}

function pageLabel({ recordings }: ResultView): string {
  return recordings.length === 1
    ? 'Abrir a página da gravação'
    : `Abrir a página com as ${formatCount(recordings.length)} gravações`;
}

function linkNotes(view: ResultView): string[] {
  const expiry = expirySentence(formatInstant(view.expiresAt, view.timeZone));
  return view.mayEndEarlier ? [expiry, MAY_END_EARLIER] : [expiry];
}

/** Why some rows have another button. */
function whySilent({ recordings }: ResultView): string | null {
  const listed = recordings.slice(0, MAX_LISTED).filter(({ url }) => url !== null);
  return silentSentence(listed.filter(({ plays }) => !plays).length, listed.length);
}

function moreSentence(view: ResultView, shown: number): string | null {
  const more = view.recordings.length - shown;
  if (more <= 0) return null;
  const where = view.pageUrl === null ? inZips(view) : `na página com todas e ${inZips(view)}`;
  return more === 1
    ? `Há mais 1 gravação, que está ${where}.`
    : `Há mais ${formatCount(more)} gravações, que estão ${where}.`;
}

function rowHtml(recording: RecordingView, otherwise: string): Html {
  const { startedAt, origin, destination, seconds, fault, url, plays } = recording;
  const warning = fault === null ? '' : ` · ${DOUBTFUL}`;
  return listRow(
    formatWallTime(startedAt),
    html`${shownNumber(origin)} → ${shownNumber(destination)}${remark(durationText(seconds) + warning)}`,
    (url === null ? null : rowButton(url, plays ? 'Tocar' : 'Baixar')) ?? otherwise,
  );
}
