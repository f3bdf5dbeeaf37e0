import { PRODUCT } from './catalogue.ts';
import { html, type HtmlValue, raw } from './html.ts';
import { DARK, FONT, GREEN, GROUND, INK, LINE, MUTED } from './theme.ts';

/** Keeps the rest of the mail out of the inbox's preview line. */
const PREVIEW_FILLER = '&#847;&zwnj;&nbsp;'.repeat(60);

/** For mail programs that read a `<style>`; without it nothing is lost but the dark mode and the full width. */
const STYLE = `
:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.pg{background:${DARK.ground}!important}.cd{background:${DARK.card}!important;border-color:${DARK.line}!important}
.tx{color:${DARK.ink}!important}.mu{color:${DARK.muted}!important}
.ln,.ln td,.ln th{border-color:${DARK.line}!important}.bx{background:${DARK.panel}!important;border-color:${DARK.line}!important}
.wn{background:${DARK.warning}!important;color:${DARK.warningInk}!important}.er{background:#3a1d1b!important;color:#ffd5d0!important}
.ok{background:#12382c!important;color:#b4ecd0!important}.nt{background:#2d3d3b!important;color:#d3e0de!important}
.lk{color:${DARK.link}!important}
}
@media (max-width:480px){.px{padding-left:16px!important;padding-right:16px!important}
.fr{padding:0!important}.cd{border-left:0!important;border-right:0!important;border-radius:0!important}
.bt{display:block!important;text-align:center!important}.kl{width:92px!important}}
`;

export interface Page {
  readonly title: string;
  /** What it is about, in small letters above the heading; recordings unless told. */
  readonly area?: string;
  /** The line an inbox shows beside the subject. */
  readonly preheader: string;
  readonly heading: string;
  readonly lead: HtmlValue;
  readonly body: readonly HtmlValue[];
  readonly footer: readonly HtmlValue[];
}

/** A whole mail: green bar with what it is, a card with what it says, small print under it. */
export function page(content: Page): string {
  const { title, area = PRODUCT, preheader, heading, lead, body, footer } = content;
  return html`<!doctype html>
    <html lang="pt-BR" dir="ltr">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="supported-color-schemes" content="light dark" />
        <meta name="format-detection" content="telephone=no,date=no,address=no,email=no" />
        <title>${title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body class="pg" style="margin:0;padding:0;background:${GROUND};-webkit-text-size-adjust:100%">
        <div style="display:none;max-height:0;overflow:hidden;opacity:0;mso-hide:all">
          ${preheader}${raw(PREVIEW_FILLER)}
        </div>
        <table
          role="presentation"
          class="pg"
          width="100%"
          cellpadding="0"
          cellspacing="0"
          bgcolor="${GROUND}"
          style="background:${GROUND};border-collapse:collapse"
        >
          <tr>
            <td class="fr" align="center" style="padding:24px 12px">
              <table
                role="presentation"
                class="cd"
                width="100%"
                cellpadding="0"
                cellspacing="0"
                bgcolor="#ffffff"
                style="max-width:680px;background:#ffffff;border:1px solid ${LINE};border-radius:10px;border-collapse:separate;overflow:hidden;text-align:left;font-family:${raw(FONT)}"
              >
                <tr>
                  <td
                    class="px"
                    bgcolor="${GREEN}"
                    style="background:${GREEN};color:#ffffff;padding:20px 28px"
                  >
                    <div style="font-size:13px;line-height:18px;letter-spacing:.3px;color:#ffffff">
                      ${area}
                    </div>
                    <h1 style="margin:2px 0 0;font-size:23px;line-height:30px;font-weight:700;color:#ffffff">
                      ${heading}
                    </h1>
                  </td>
                </tr>
                <tr>
                  <td
                    class="px tx"
                    style="padding:22px 28px 26px;color:${INK};font-size:15px;line-height:23px"
                  >
                    <p style="margin:0 0 18px;font-size:16px;line-height:25px">${lead}</p>
                    ${body}
                  </td>
                </tr>
                <tr>
                  <td
                    class="px mu ln"
                    style="padding:14px 28px 18px;border-top:1px solid ${LINE};color:${MUTED};font-size:12px;line-height:18px"
                  >
                    ${footer.map((line) => html`<div style="overflow-wrap:anywhere">${line}</div>`)}
                  </td>
                </tr>
              </table>
            </td>
          </tr>
        </table>
      </body>
    </html> `.source;
}
