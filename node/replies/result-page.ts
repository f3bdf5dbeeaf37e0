import { formatWallTime } from '../commands/wall-time.ts';
import { DOUBTFUL, expirySentence, MAY_END_EARLIER, silentSentence } from './catalogue.ts';
import { durationText, soundPhrase } from './duration.ts';
import { formatCount, formatInstant, formatSize, plural, shortId } from './format.ts';
import { type Html, html, type HtmlValue } from './html.ts';
import {
  coverageNotes,
  extensionsPhrase,
  type Group,
  jobPairs,
  rangePhrase,
  warningGroups,
} from './parts.ts';
import type { PageRecordingView, ResultPageView, ZipView } from './views.ts';
import { pageUrl, webButton, webPage } from './web-page.ts';

/** Recordings that need no way to find one among them. */
const FEW = 20;

/** Rows that are out of sight cost nothing to lay out: 500 players would. */
const STYLE = `
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:0;padding:.8rem 1rem;background:var(--panel);border:1px solid var(--line);border-radius:8px}
dt{color:var(--muted)}dd{margin:0}
.rs{list-style:none;margin:0;padding:0}
.rs li{display:grid;grid-template-columns:minmax(14rem,1fr) minmax(14rem,22rem) 6.2rem;gap:.4rem 1rem;align-items:center;padding:.6rem 0;border-top:1px solid var(--line);content-visibility:auto;contain-intrinsic-size:auto 72px}
.rs strong{margin-right:.6rem;font-variant-numeric:tabular-nums}
.nm{display:inline-block;max-width:100%}
h3{position:sticky;top:0;z-index:1;margin:1rem 0 0;padding:.6rem 0 .2rem;background:var(--ground)}
.rs .mu{display:block}
audio{display:block;width:100%;height:44px}
.dl{display:inline-block;min-height:44px;text-align:center;padding:.6rem .9rem;border:1px solid var(--line);border-radius:8px;background:var(--panel);font-weight:700;line-height:1.4;text-decoration:none}
.zp{margin:0 0 .9rem}.zp .mu{display:block;margin-top:.2rem}
nav{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:center;margin:1.2rem 0}
.dy{display:grid;grid-template-columns:repeat(auto-fill,minmax(6rem,1fr));gap:.5rem}.dy .dl{padding:.6rem .2rem;white-space:nowrap}
@media print{.rs li{content-visibility:visible}}
@media (max-width:50rem){.rs li{grid-template-columns:1fr auto;padding:.8rem 0;contain-intrinsic-size:auto 124px}.rs .pl{grid-row:2;grid-column:1/-1}dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}}
@media (max-width:30rem){.zp .bt{display:block;text-align:center}.pg span{order:-1;flex-basis:100%}.pg .dl{flex:1}}
`;

/** The page of a result: what stands in its mail, with all recordings, a player for each that plays, and no script. */
export function resultPage(view: ResultPageView): string {
  const heading = plural(view.total.count, 'gravação', 'gravações');
  const expires = formatInstant(view.expiresAt, view.timeZone);
  const earlier = view.mayEndEarlier ? ', mas pode parar antes' : '';
  return webPage({
    title: `${heading}: ${extensionsPhrase(view.request.extensions)}`,
    heading,
    lead: html`${subjectSentence(view)} Esta página e os seus links abrem até <strong>${expires}</strong>${earlier}.`,
    body: [
      warningGroups(view).map(warning),
      html`<h2>${view.total.count === 1 ? 'Baixar' : 'Baixar todas'}</h2>`,
      view.zips.map((zip, index) => zipLine(zip, index, view.zips.length)),
      html`<h2 id="inicio">${partTitle(view)}</h2>`,
      explanation(view.recordings),
      pager(view),
      days(view.recordings),
      pager(view),
      view.recordings.length > FEW && html`<p><a class="dl" href="#inicio">Voltar ao início da lista</a></p>`,
      html`<h2>O pedido</h2>
        <dl>
          ${jobPairs(view).map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}
        </dl>`,
      html`<h2>Sobre esta busca</h2>
        <ul class="mu">
          ${[
            ...(view.mayEndEarlier ? [MAY_END_EARLIER] : []),
            expirySentence(expires),
            ...coverageNotes(view),
          ].map((note) => html`<li>${note}</li>`)}
        </ul>`,
    ],
    footer: `Pedido ${shortId(view.jobId)}`,
    style: STYLE,
  });
}

/** What it is about: the sound, whose, and from when to when. */
function subjectSentence({ total, request }: ResultPageView): string {
  const whose = `${request.extensions.length === 1 ? 'do' : 'dos'} ${extensionsPhrase(request.extensions)}`;
  const many = total.count === 1 ? 'Gravação' : 'Gravações';
  return `${many} ${whose}, de ${rangePhrase(request)}: ${soundPhrase(total)}.`;
}

function warning({ title, lines }: Group): Html {
  return html`<section class="wn">
    <h2>${title}</h2>
    <ul>
      ${lines.map((line) => html`<li>${line}</li>`)}
    </ul>
  </section>`;
}

function zipLine({ url, sizeBytes, fileName, count }: ZipView, index: number, of: number): HtmlValue {
  const label =
    of === 1
      ? `Baixar o ZIP (${formatSize(sizeBytes)})`
      : `Baixar o ZIP ${index + 1} de ${formatCount(of)} (${formatSize(sizeBytes)})`;
  return html`<p class="zp">
    ${webButton(url, label)}<span class="mu">${fileName}: ${plural(count, 'gravação', 'gravações')} e a lista</span>
  </p>`;
}

function partTitle({ part, recordings, total }: ResultPageView): string {
  if (part.of === 1) return 'Ouvir uma a uma';
  return `Ouvir uma a uma: página ${part.number} de ${part.of} (${formatCount(recordings.length)} de ${formatCount(total.count)} gravações)`;
}

/** What the rows cannot say at each recording. */
function explanation(recordings: readonly PageRecordingView[]): Html[] {
  const silent = recordings.filter(({ playUrl }) => playUrl === null).length;
  const converted = recordings.some((recording) => recording.converted);
  return [
    ...[silentSentence(silent, recordings.length)].filter((sentence) => sentence !== null),
    ...(converted
      ? ['Algumas gravações foram convertidas para tocar aqui. O que se baixa é sempre o arquivo original.']
      : []),
  ].map((sentence) => html`<p class="mu">${sentence}</p>`);
}

function pager({ part }: ResultPageView): Html | null {
  if (part.of === 1) return null;
  const link = (url: string | null, label: string): HtmlValue => {
    const href = url === null ? null : pageUrl(url);
    return href !== null && html`<a class="dl" href="${href}">${label}</a>`;
  };
  return html`<nav class="pg" aria-label="Páginas da lista">
    ${link(part.previousUrl, '← Anteriores')}<span>Página ${part.number} de ${part.of}</span>${link(
      part.nextUrl,
      'Próximas →',
    )}
  </nav>`;
}

/** Recordings day by day, as they come. */
function days(recordings: readonly PageRecordingView[]): Html[] {
  const byDay = [...Map.groupBy(recordings, ({ startedAt }) => startedAt.slice(0, 10))];
  const shown = byDay.map(
    ([day, ofDay], index) =>
      // A heading that sticks to the top goes with its section.
      html`<section>
        <h3 id="dia-${index + 1}">${weekDay(day)}</h3>
        <ul class="rs">
          ${ofDay.map(row)}
        </ul>
      </section>`,
  );
  return recordings.length > FEW && byDay.length > 1 ? [dayIndex(byDay), ...shown] : shown;
}

/** Leads to each day of a list that is longer than a glance. */
function dayIndex(byDay: readonly (readonly [day: string, ofDay: readonly unknown[]])[]): Html {
  return html`<nav class="dy" aria-label="Dias da lista, com o número de gravações">
    ${byDay.map(
      ([day, { length }], index) =>
        html`<a class="dl" href="#dia-${index + 1}">${shortDay(day)} <span class="mu">(${formatCount(length)})</span></a>`,
    )}
  </nav>`;
}

/** `27/10`: the page is about a few weeks at most. */
function shortDay(day: string): string {
  return formatWallTime(day).slice(0, 5);
}

const WEEK_DAYS = ['segunda', 'terça', 'quarta', 'quinta', 'sexta', 'sábado', 'domingo'] as const;

/** `27/10/2025, segunda`; a day as it came where it is none. */
function weekDay(day: string): string {
  try {
    const date = Temporal.PlainDate.from(day);
    return `${formatWallTime(day).slice(0, 10)}, ${WEEK_DAYS[date.dayOfWeek - 1] ?? ''}`;
  } catch (error) {
    if (error instanceof RangeError) return day;
    throw error;
  }
}

function row(recording: PageRecordingView): Html {
  const { startedAt, origin, destination, sizeBytes, seconds, fault, converted } = recording;
  const play = recording.playUrl === null ? null : pageUrl(recording.playUrl);
  const save = recording.downloadUrl === null ? null : pageUrl(recording.downloadUrl);
  const when = formatWallTime(startedAt);
  const called = `${when}, de ${origin} para ${destination}`;
  const facts = [
    durationText(seconds),
    formatSize(sizeBytes),
    ...(converted ? ['convertida para tocar'] : []),
    ...(fault === null ? [] : [DOUBTFUL]),
  ];
  return html`<li>
    <div><strong>${when.slice(11)}</strong><span class="nm">${origin} → ${destination}</span><span class="mu">${facts.join(' · ')}</span></div>
    ${
      play === null
        ? html`<span class="mu pl">não toca no navegador: ${save === null ? 'está no ZIP' : 'baixe para ouvir'}</span>`
        : html`<audio class="pl" controls preload="none" src="${play}" aria-label="Gravação: ${called}"></audio>`
    }
    ${save === null ? html`<span class="mu">só no ZIP</span>` : html`<a class="dl" href="${save}" aria-label="Baixar a gravação: ${called}">Baixar</a>`}
  </li>`;
}
