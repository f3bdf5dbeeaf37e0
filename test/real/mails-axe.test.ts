import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { resultPage } from '../../node/replies/result-page.ts';
import { resultMail } from '../../node/replies/result.ts';
import { needs } from '../support/requirements.ts';
import { pageView } from '../unit/replies/page-samples.ts';
import { worstView } from '../unit/replies/samples.ts';

const { describe, test } = needs('chromium');

const GOLDEN = join(import.meta.dirname, '../golden');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
/** A thumb needs as much (WCAG 2.2, 2.5.5). */
const MIN_TARGET_PX = 44;

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly where: string;
}

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ args: ARGUMENTS, executablePath: '/usr/bin/chromium' });
});
afterAll(() => browser.close());

/** What a browser shows: the golden mails and pages, the longest result under the longest names, a page of many days. */
const FILES: readonly (readonly [name: string, html: string])[] = [
  ...readdirSync(GOLDEN)
    .filter((file) => file.endsWith('.html'))
    .map((file) => [file, readFileSync(join(GOLDEN, file), 'utf8')] as const),
  ['the worst result', resultMail(worstView()).html],
  ['a page of many days', resultPage(pageView(60))],
];

interface Look {
  readonly violations: readonly Violation[];
  /** Pixels that what is shown takes in width. */
  readonly wide: number;
  /** What can be pressed and is lower than a thumb needs. */
  readonly small: readonly string[];
}

/** Puts a file in the place of the one before, so that axe-core is read once; then looks at it. */
async function look(page: Page, html: string): Promise<Look> {
  const source = JSON.stringify(html);
  return page.evaluate<Look>(`(async () => {
    const next = new DOMParser().parseFromString(${source}, 'text/html').documentElement;
    document.replaceChild(document.adoptNode(next), document.documentElement);
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return {
      violations: violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes[0].html.slice(0, 300) })),
      wide: document.documentElement.scrollWidth,
      small: [...document.querySelectorAll('a[href],audio')]
        .filter((one) => one.getBoundingClientRect().height < ${MIN_TARGET_PX - 0.5})
        .map((one) => one.outerHTML.slice(0, 300)),
    };
  })()`);
}

describe.each([
  { colorScheme: 'light', width: 1200 },
  { colorScheme: 'dark', width: 360 },
] as const)('every mail and page, $colorScheme, $width px wide', ({ colorScheme, width }) => {
  test('has no serious finding of axe-core, fits its width, and is pressed with a thumb', async () => {
    await using context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
    const page = await context.newPage();
    await page.setContent('<!doctype html>');
    await page.evaluate(AXE);
    const found: string[] = [];
    for (const [file, html] of FILES) {
      const { violations, wide, small } = await look(page, html);
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      found.push(...serious.map(({ id, where }) => `${file}: ${id}: ${where}`));
      found.push(...small.map((one) => `${file}: too low to be pressed: ${one}`));
      if (wide > width) found.push(`${file}: ${wide} px wide`);
    }
    expect(found).toEqual([]);
    expect(FILES.length).toBeGreaterThan(60);
  });
});

test('a finding would be found', async () => {
  await using context = await browser.newContext({ viewport: { width: 360, height: 800 } });
  const page = await context.newPage();
  await page.setContent('<p style="color:#bbb;background:#fff">pale</p>');
  await page.evaluate(AXE);
  const ids = await page.evaluate(
    `axe.run(document).then(({ violations }) => violations.map(({ id }) => id))`,
  );
  expect(ids).toContain('color-contrast');
});
