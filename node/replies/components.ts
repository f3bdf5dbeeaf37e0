import { type Html, html, type HtmlValue, raw, safeUrl } from './html.ts';
import { GREEN, INK, LINE, LINK, MONO, MUTED, PANEL, WARNING } from './theme.ts';

/*
 * The building blocks of every mail: tables and inlined styles, for that is what mail programs keep. The classes
 * serve the `<style>` of `page.ts` alone.
 */

/** A heading inside a mail. */
export function section(title: string): Html {
  return html`<h2 style="margin:26px 0 8px;font-size:17px;line-height:24px;font-weight:700">${title}</h2>`;
}

export function paragraph(content: HtmlValue): Html {
  return html`<p style="margin:0 0 12px">${content}</p>`;
}

/** Things to do or to check, one by one. */
export function bullets(items: readonly HtmlValue[]): Html {
  const line = (item: HtmlValue): Html => html`<li style="margin:0 0 4px">${item}</li>`;
  return html`<ul style="margin:0 0 12px;padding:0 0 0 18px">
    ${items.map(line)}
  </ul>`;
}

/** Small print: what a search covers, how long links live. */
export function notes(items: readonly HtmlValue[]): Html {
  const line = (item: HtmlValue): Html => html`<li style="margin:0 0 4px">${item}</li>`;
  return html`<ul
    class="mu"
    style="margin:0 0 12px;padding:0 0 0 18px;color:${MUTED};font-size:14px;line-height:21px"
  >
    ${items.map(line)}
  </ul>`;
}

/** Labels with their values, one a row. */
export function pairs(rows: readonly (readonly [label: string, value: HtmlValue])[]): Html {
  const row = ([label, value]: readonly [string, HtmlValue]): Html =>
    html`<tr>
      <th
        scope="row"
        class="mu kl"
        align="left"
        valign="top"
        width="124"
        style="width:124px;padding:4px 12px 4px 0;font-weight:400;color:${MUTED}"
      >
        ${label}
      </th>
      <td class="tx" valign="top" style="padding:4px 0;overflow-wrap:anywhere;color:${INK}">${value}</td>
    </tr>`;
  return html`<table
    class="bx"
    width="100%"
    cellpadding="0"
    cellspacing="0"
    style="background:${PANEL};border:1px solid ${LINE};border-radius:8px;border-collapse:separate;margin:0 0 16px"
  >
    <tr>
      <td style="padding:8px 16px">
        <table
          width="100%"
          cellpadding="0"
          cellspacing="0"
          style="border-collapse:collapse;table-layout:fixed;font-size:14px;line-height:21px"
        >
          ${rows.map(row)}
        </table>
      </td>
    </tr>
  </table>`;
}

const BOXES = {
  warning: { ...WARNING, name: 'wn' },
  error: { ground: '#fdeceb', ink: '#6b1a14', edge: '#c0392b', name: 'er' },
} as const;

/** Something to be seen first. */
export function box(kind: keyof typeof BOXES, title: string, items: readonly HtmlValue[]): Html {
  const { ground, ink, edge, name } = BOXES[kind];
  const body = items.map((item) => html`<div style="margin-top:4px;overflow-wrap:anywhere">${item}</div>`);
  return html`<table
    role="presentation"
    width="100%"
    cellpadding="0"
    cellspacing="0"
    style="border-collapse:separate;margin:0 0 14px"
  >
    <tr>
      <td
        class="${name}"
        bgcolor="${ground}"
        style="background:${ground};color:${ink};border-left:4px solid ${edge};border-radius:4px;padding:12px 16px;font-size:14px;line-height:21px"
      >
        <strong style="overflow-wrap:anywhere">${title}</strong>${body}
      </td>
    </tr>
  </table>`;
}

/** A text to be copied as it is. */
export function copyBox(text: string): Html {
  return html`<table
    role="presentation"
    width="100%"
    cellpadding="0"
    cellspacing="0"
    style="border-collapse:separate;table-layout:fixed;margin:0 0 14px"
  >
    <tr>
      <td
        class="bx tx"
        style="background:${PANEL};border:1px solid ${LINE};border-radius:6px;padding:12px 14px;font-family:${raw(MONO)};font-size:14px;line-height:21px;overflow-wrap:anywhere;color:${INK}"
      >
        ${text}
      </td>
    </tr>
  </table>`;
}

/** The one big thing to press. Borders instead of padding, so that Outlook shows it whole. Nothing for a bad URL. */
export function button(url: string, label: string): Html | null {
  const href = safeUrl(url);
  if (href === null) return null;
  return html`<a
    class="bt"
    href="${href}"
    style="display:inline-block;background:${GREEN};color:#ffffff;border:solid ${GREEN};border-width:12px 22px;border-radius:8px;font-size:16px;line-height:20px;font-weight:700;text-decoration:none"
    >${label}</a
  >`;
}

/** Something else to press, less loud than `button`. Nothing for a bad URL. */
export function linkButton(url: string, label: string): Html | null {
  const href = safeUrl(url);
  if (href === null) return null;
  return html`<a
    class="bt bx lk"
    href="${href}"
    style="display:inline-block;background:${PANEL};color:${LINK};border:1px solid ${LINE};border-radius:8px;padding:12px 20px;font-size:15px;line-height:20px;font-weight:700;text-decoration:none"
    >${label}</a
  >`;
}

/** A date stands in one line on a desktop, in two on a phone; however long a number is, the table is not wider. */
const COLUMN_WIDTHS = ['30%', '', '104'] as const;

/** A table of recordings; short, as there are up to a hundred rows under Gmail's limit. */
export function listTable(heads: readonly string[], rows: readonly Html[]): Html {
  const head = (title: string, index: number): Html =>
    html`<th
      scope="col"
      align="${index === 2 ? 'right' : 'left'}"
      width="${COLUMN_WIDTHS[index]}"
      style="padding:0 ${index === 2 ? 0 : 8}px 6px 0;font-weight:400"
    >
      ${title}
    </th>`;
  return html`<table
    class="ln"
    width="100%"
    cellpadding="0"
    cellspacing="0"
    style="border-collapse:collapse;table-layout:fixed;font-size:15px;line-height:21px;font-variant-numeric:tabular-nums"
  >
    <tr class="mu" style="color:${MUTED};font-size:13px">
      ${heads.map(head)}
    </tr>
    ${rows}
  </table>`;
}

/** A row of `listTable`; the last cell is a button, or a remark where there is no link. */
export function listRow(when: string, who: HtmlValue, action: HtmlValue): Html {
  const first = raw(
    `scope="row" align="left" style="padding:7px 8px 7px 0;border-top:1px solid ${LINE};font-weight:400"`,
  );
  const cell = raw(`style="padding:7px 8px 7px 0;border-top:1px solid ${LINE};overflow-wrap:break-word"`);
  const last = raw(`align="right" style="padding:7px 0;border-top:1px solid ${LINE}"`);
  return html`<tr>
    <th ${first}>${when}</th>
    <td ${cell}>${who}</td>
    <td ${last}>${action}</td>
  </tr>`;
}

/** The button of a row. */
export function rowButton(url: string, label: string): Html | null {
  const href = safeUrl(url);
  if (href === null) return null;
  return html`<a
    href="${href}"
    style="display:inline-block;background:${GREEN};color:#fff;border:solid ${GREEN};border-width:12px 16px;border-radius:7px;font-weight:700;text-decoration:none"
    >${label}</a
  >`;
}

/** A remark under something, smaller. */
export function remark(text: string): Html {
  return html`<div class="mu" style="font-size:13px;color:${MUTED}">${text}</div>`;
}
