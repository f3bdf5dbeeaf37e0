import { type Html, html, type HtmlValue, raw, safeUrl } from './html.ts';
import { LINE, LINK, MONO, MUTED } from './theme.ts';

/** How a card is to be taken at a glance; the words beside the colour say the same. */
export type MarkKind = 'good' | 'plain' | 'warning' | 'bad';

export interface Mark {
  readonly kind: MarkKind;
  readonly label: string;
}

/** One thing of several: a server, a request, a person. */
export interface Card {
  readonly title: string;
  readonly mark: Mark | null;
  readonly lines: readonly string[];
  /** As it stands somewhere: lines of a log, a path. */
  readonly verbatim?: readonly string[];
  /** Small print: for whoever looks into it. */
  readonly small?: readonly string[];
  /** Texts that open what they name. */
  readonly links?: readonly { readonly url: string; readonly label: string }[];
}

const MARKS: Readonly<Record<MarkKind, { ground: string; ink: string; name: string }>> = {
  good: { ground: '#dff2ea', ink: '#0b4d36', name: 'ok' },
  plain: { ground: '#e6eceb', ink: '#3a4e4d', name: 'nt' },
  warning: { ground: '#fff0c7', ink: '#553f00', name: 'wn' },
  bad: { ground: '#fbdedb', ink: '#6b1a14', name: 'er' },
};

/** Cards one under another, as wide as the mail, so that they read the same on a phone. */
export function cardTable(cards: readonly Card[]): Html {
  return html`<table
    class="ln"
    width="100%"
    cellpadding="0"
    cellspacing="0"
    style="border-collapse:collapse;table-layout:fixed;margin:0 0 14px;border-bottom:1px solid ${LINE};font-size:14px;line-height:21px"
  >
    ${cards.map(cardRow)}
  </table>`;
}

function cardRow({ title, mark, lines, verbatim = [], small = [], links = [] }: Card): Html {
  const line = (text: string): Html => html`<div style="margin-top:3px">${text}</div>`;
  return html`<tr>
    <td style="padding:11px 0 12px;border-top:1px solid ${LINE};overflow-wrap:anywhere">
      <strong style="margin-right:8px">${title}</strong> ${mark !== null && pill(mark)}
      ${lines.map(line)}${verbatim.length > 0 && verbatimLines(verbatim)}${small.map(smallLine)}${links.map(linkLine)}
    </td>
  </tr>`;
}

/** What a card says in a word or two, on its colour. */
function pill({ kind, label }: Mark): Html {
  const { ground, ink, name } = MARKS[kind];
  return html`<span
    class="${name}"
    style="background:${ground};color:${ink};border-radius:10px;padding:2px 10px;font-size:13px;font-weight:700;white-space:nowrap"
    >${label}</span
  >`;
}

function verbatimLines(lines: readonly string[]): Html {
  const line = (text: string): Html => html`<div style="margin-top:2px">${text}</div>`;
  return html`<div
    class="mu"
    style="margin-top:5px;font-family:${raw(MONO)};font-size:12px;line-height:17px;color:${MUTED}"
  >
    ${lines.map(line)}
  </div>`;
}

function smallLine(text: string): Html {
  return html`<div class="mu" style="margin-top:4px;font-size:13px;line-height:18px;color:${MUTED}">
    ${text}
  </div>`;
}

function linkLine({ url, label }: { readonly url: string; readonly label: string }): HtmlValue {
  const href = safeUrl(url);
  if (href === null) return label;
  return html`<div style="margin-top:4px">
    <a
      class="lk"
      href="${href}"
      style="display:inline-block;padding:13px 0 12px;font-family:${raw(MONO)};font-size:13px;line-height:19px;color:${LINK};text-decoration:underline"
      >${label}</a
    >
  </div>`;
}
