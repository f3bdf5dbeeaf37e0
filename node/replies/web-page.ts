import { PRODUCT } from './catalogue.ts';
import { type Html, html, type HtmlValue, raw, safeUrl } from './html.ts';
import { DARK, FONT, GREEN, GROUND, INK, LINE, LINK, MUTED, PANEL, WARNING } from './theme.ts';

/*
 * Pages that a browser opens, as against the mails of `page.ts`: their styles stand in one `<style>`, and nothing is
 * loaded but the recordings that somebody plays. Colours keep to WCAG 1.4.3 in both modes.
 */
const STYLE = `
:root{color-scheme:light dark;--ground:${GROUND};--card:#fff;--ink:${INK};--muted:${MUTED};--line:${LINE};--panel:${PANEL};--link:${LINK};--warn:${WARNING.ground};--warnink:${WARNING.ink};--warnedge:${WARNING.edge}}
@media (prefers-color-scheme:dark){:root{--ground:${DARK.ground};--card:${DARK.card};--ink:${DARK.ink};--muted:${DARK.muted};--line:${DARK.line};--panel:${DARK.panel};--link:${DARK.link};--warn:${DARK.warning};--warnink:${DARK.warningInk}}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 ${FONT};-webkit-text-size-adjust:100%;overflow-wrap:anywhere}
header,main,footer{max-width:60rem;margin:0 auto;padding:0 1.25rem}
.top{background:${GREEN};color:#fff;padding:1.1rem 0 1.2rem}
.top p{margin:0;font-size:.9rem;letter-spacing:.02em}
h1{margin:.1rem 0 0;font-size:1.6rem;line-height:1.25}
h2{margin:2rem 0 .6rem;font-size:1.2rem;line-height:1.3}
h3{margin:1.6rem 0 .2rem;font-size:1rem;color:var(--muted)}
p{margin:0 0 .9rem}
.lead{margin:1.4rem 0;font-size:1.06rem}
a{color:var(--link)}
a:focus-visible,audio:focus-visible{outline:3px solid #e0a100;outline-offset:2px}
.bt{display:inline-block;min-height:44px;padding:.75rem 1.3rem;background:${GREEN};color:#fff;border-radius:8px;font-weight:700;line-height:1.3;text-decoration:none}
.mu{color:var(--muted);font-size:.92rem}
.wn{background:var(--warn);color:var(--warnink);border-left:4px solid var(--warnedge);border-radius:4px;padding:.8rem 1rem;margin:0 0 .9rem}
.wn h2{margin:0;font-size:1rem}
.wn ul{margin:.3rem 0 0;padding-left:1.2rem}
footer{padding-bottom:2.5rem;margin-top:2.5rem}
footer p{margin:.9rem 0 0;padding-top:.9rem;border-top:1px solid var(--line)}
`;

export interface WebPage {
  readonly title: string;
  readonly heading: string;
  readonly lead: HtmlValue;
  readonly body: readonly HtmlValue[];
  readonly footer: string | null;
  /** Styles of this page alone. */
  readonly style?: string;
}

/** A whole page, for a phone as for a wide screen. */
export function webPage({ title, heading, lead, body, footer, style = '' }: WebPage): string {
  return html`<!doctype html>
    <html lang="pt-BR" dir="ltr">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex,nofollow" />
        <meta name="referrer" content="no-referrer" />
        <meta name="format-detection" content="telephone=no,date=no,address=no,email=no" />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          ${raw(STYLE + style)}
        </style>
      </head>
      <body>
        <div class="top">
          <header>
            <p>${PRODUCT}</p>
            <h1>${heading}</h1>
          </header>
        </div>
        <main>
          <p class="lead">${lead}</p>
          ${body}
        </main>
        ${footer !== null && html`<footer><p class="mu">${footer}</p></footer>`}
      </body>
    </html> `.source;
}

/** A name beside the page it stands on, and what signs it. */
const BESIDE = /^\.\/[\w.~%-]+(?:\?[\w.~%=&+-]*)?$/;

/** The address of a link on a page: beside the page itself, or in the web; null where it is none. */
export function pageUrl(url: string): string | null {
  if (BESIDE.test(url)) return url;
  const safe = safeUrl(url);
  return safe === null || safe.startsWith('mailto:') ? null : safe;
}

/** A big thing to press; nothing for a bad URL. */
export function webButton(url: string, label: string): Html | null {
  const href = pageUrl(url);
  return href === null ? null : html`<a class="bt" href="${href}">${label}</a>`;
}
