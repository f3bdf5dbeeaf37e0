import { formatWallTime } from '../commands/wall-time.ts';
import { button } from './components.ts';
import { formatCount, formatSize, plural } from './format.ts';
import { type Html, html, safeUrl } from './html.ts';
import type { TextMail } from './text.ts';
import type { RecordingView, ResultView, ZipView } from './views.ts';

/** Bytes of links to ZIPs in a mail, with what stands around each. More ZIPs come only from limits set very low. */
const MAX_LISTED_BYTES = 45_000;
const AROUND_LINK_BYTES = 450;

/** Where the recordings are that a mail does not list, said after "que estão". */
export function inZips({ zips }: ResultView): string {
  return zips.length === 1 ? 'no ZIP' : 'nos ZIPs';
}

/** What the ZIPs hold, over their buttons. */
export function zipsSentence({ recordings, zips }: ResultView): string {
  const [first] = zips;
  const what = recordings.length === 1 ? 'A gravação' : `As ${formatCount(recordings.length)} gravações`;
  if (zips.length === 1 && first !== undefined) {
    return `${what} e a lista manifesto.csv, em um só arquivo: ${first.fileName} (${formatSize(first.sizeBytes)}).`;
  }
  const bytes = zips.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return `São muitas gravações para um arquivo só, por isso elas vão em ${formatCount(zips.length)} ZIPs (${formatSize(bytes)} ao todo). Cada um abre sozinho e traz a sua lista manifesto: baixe só os que precisar.`;
}

/** A button for each ZIP, with what it holds where there are several. */
export function zipButtons(view: ResultView): Html[] {
  const { zips } = view;
  const [first] = zips;
  if (zips.length === 1 && first !== undefined) {
    const label = `Baixar o ZIP (${formatSize(first.sizeBytes)})`;
    return [html`<p style="margin:0 0 6px">${button(first.url, label)}</p>`];
  }
  const listed = partsOf(view).map(
    ({ zip, number, holds }) =>
      html`<div style="margin:0 0 14px">
        ${button(zip.url, `Baixar a parte ${number} (${formatSize(zip.sizeBytes)})`)}
        <div style="margin-top:4px">${holds}</div>
      </div>`,
  );
  const more = moreZips(view, listed.length);
  return more === null ? listed : [...listed, html`<p style="margin:0 0 6px">${more}</p>`];
}

/** The same in plain text. */
export function zipLinks(text: TextMail, view: ResultView): void {
  const several = view.zips.length > 1;
  const parts = partsOf(view);
  for (const { zip, number, holds } of parts) {
    const size = formatSize(zip.sizeBytes);
    if (several) text.blank().line(`Parte ${number} (${size}): ${holds}`);
    const url = safeUrl(zip.url);
    if (url !== null) text.link(url, '  ');
  }
  const more = moreZips(view, parts.length);
  if (more !== null) text.paragraph(more);
}

interface Part {
  readonly zip: ZipView;
  /** `1 de 3`. */
  readonly number: string;
  readonly holds: string;
}

/** The ZIPs in order. Recordings fill them by time: where all are in one, it is told from when to when a part goes. */
function partsOf({ zips, recordings }: ResultView): Part[] {
  const inAll = zips.reduce((sum, { count }) => sum + count, 0);
  let next = 0;
  let bytes = 0;
  const fitting = zips.filter(
    ({ url }, index) =>
      (bytes += Buffer.byteLength(url) + AROUND_LINK_BYTES) <= MAX_LISTED_BYTES || index === 0,
  );
  return fitting.map((zip, index) => {
    const within = inAll === recordings.length ? recordings.slice(next, next + zip.count) : [];
    next += zip.count;
    const holds = holdsOf(zip.count) + rangeOf(within);
    return { zip, number: `${index + 1} de ${formatCount(zips.length)}`, holds };
  });
}

/** A part can have lost all its recordings: what became of them is in its list. */
function holdsOf(count: number): string {
  return count === 0 ? 'só a lista do que ficou de fora' : plural(count, 'gravação', 'gravações');
}

function rangeOf(recordings: readonly RecordingView[]): string {
  const [first, last] = [recordings[0], recordings.at(-1)];
  if (first === undefined || last === undefined) return '';
  const [from, until] = [first, last].map(({ startedAt }) => formatWallTime(startedAt).slice(0, 16));
  return from === until ? `, de ${from ?? ''}` : `, de ${from ?? ''} a ${until ?? ''}`;
}

function moreZips({ zips, pageUrl }: ResultView, listed: number): string | null {
  const more = zips.length - listed;
  if (more <= 0) return null;
  const where =
    pageUrl === null
      ? 'Para receber o restante, envie outro pedido com um período menor.'
      : 'Na página com todas as gravações há um botão para cada ZIP.';
  return `${plural(more, 'ZIP não coube', 'ZIPs não couberam')} neste e-mail. ${where}`;
}
