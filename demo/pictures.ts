import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { eventually, startChild, temporaryDirectory } from '../test/support/process.ts';
import { GROUPS, type Kind, KINDS, type KindId } from './kinds.ts';

/**
 * Writes the pictures of docs/ anew, from a run of the demo: every kind of mail at the width of a phone and of a desk, light
 * and dark, and the page of a result. Needs Chromium and ffmpeg: `node demo/pictures.ts [PATH OF CHROMIUM]`.
 */
const CHROMIUM = process.argv[2] ?? '/usr/bin/chromium';
const DOCS = join(import.meta.dirname, '../docs');
const MAILS = join(DOCS, 'mails');
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const DEMO_MS = 180_000;
/** How each is shown; the wide ones are scaled down so that a sheet stays one that can be looked at. */
const VIEWS = [
  { width: 360, scheme: 'light', scale: 1 },
  { width: 360, scheme: 'dark', scale: 1 },
  { width: 1200, scheme: 'light', scale: 0.7 },
  { width: 1200, scheme: 'dark', scale: 0.7 },
] as const;
/** Below it a picture is cut, and says so. */
const MAX_HEIGHT = 1900;
const GAP = 24;
/** A sheet has few colours: with a palette of them it is a third as large. */
const PALETTE = ['-lavfi', 'split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none'];

interface ShownMail {
  readonly number: number;
  readonly subject: string;
  readonly html: string | null;
  readonly kind: KindId | null;
  readonly links: readonly string[];
}

/** What is to be shown: a mail's HTML, or an address. */
type Shown = { readonly html: string } | { readonly url: string };

async function main(): Promise<void> {
  await using demo = startChild(process.execPath, [join(import.meta.dirname, 'main.ts')]);
  const address = /^ +(http:\/\/127\.0\.0\.1:\d+\/)$/m;
  const isOver = (): boolean => demo.process.exitCode !== null;
  await eventually('the page of the demo', () => address.test(demo.output()) || isOver(), DEMO_MS);
  const url = address.exec(demo.output())?.[1];
  if (url === undefined) throw new Error(`the demo ended:\n${demo.output()}`);
  const mails = (await (await fetch(new URL('mails', url))).json()) as ShownMail[];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  try {
    await rm(MAILS, { recursive: true, force: true });
    await mkdir(MAILS, { recursive: true });
    const taken: Kind[] = [];
    for (const kind of KINDS) {
      const mail = mails.findLast((one) => one.kind === kind.id);
      if (mail?.html == null) continue; // what this machine had no means for
      await sheet(browser, { html: mail.html }, join(MAILS, `${kind.id}.png`));
      taken.push(kind);
    }
    await result(browser, mails);
    await writeFile(join(DOCS, 'MAILS.md'), overview(taken));
    process.stdout.write(`${taken.length} kinds of mail, of ${KINDS.length}\n`);
  } finally {
    await browser.close();
  }
  await demo.end('SIGINT');
}

/** The mail of the README, and the page that it leads to. */
async function result(browser: Browser, mails: readonly ShownMail[]): Promise<void> {
  const mail = mails.findLast(({ kind }) => kind === 'result');
  if (mail?.html == null) throw new Error('there is no result mail');
  await using page = await browser.newPage({ viewport: { width: 720, height: 900 }, deviceScaleFactor: 1.5 });
  await page.setContent(mail.html);
  await page.screenshot({ path: join(DOCS, 'result-mail.png'), fullPage: true });
  const link = mail.links.find((one) => new URL(one).pathname.endsWith('.html'));
  if (link === undefined) throw new Error('the result mail leads to no page');
  await sheet(browser, { url: link }, join(DOCS, 'page.png'));
}

/** One picture with all views side by side. */
async function sheet(browser: Browser, shown: Shown, path: string): Promise<void> {
  await using temporary = await temporaryDirectory();
  const figures: string[] = [];
  for (const { width, scheme, scale } of VIEWS) {
    await using page = await browser.newPage({ viewport: { width, height: 700 }, colorScheme: scheme });
    await ('url' in shown ? page.goto(shown.url) : page.setContent(shown.html));
    const height = Number(await page.evaluate('document.documentElement.scrollHeight'));
    const seen = Math.min(height, Math.round(MAX_HEIGHT / scale));
    // What is below the edge of the window is not painted where a page leaves that to the browser.
    await page.setViewportSize({ width, height: seen });
    const clip = { x: 0, y: 0, width, height: seen };
    const png = (await page.screenshot({ fullPage: true, clip })).toString('base64');
    const note = seen < height ? `, cut here: ${height} px in all` : '';
    figures.push(
      `<figure><figcaption>${width} px, ${scheme}${note}</figcaption>` +
        `<img width="${width * scale}" class="${note && 'cut'}" src="data:image/png;base64,${png}"></figure>`,
    );
  }
  const all = VIEWS.reduce((sum, { width, scale }) => sum + width * scale + GAP, GAP);
  await using page = await browser.newPage({ viewport: { width: Math.ceil(all), height: 300 } });
  await page.setContent(`<style>${STYLE}</style>${figures.join('')}`);
  const whole = join(temporary.path, 'whole.png');
  await page.screenshot({ path: whole, fullPage: true });
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', '-i', whole, ...PALETTE, path]);
}

const STYLE = `
  body { margin: 0; padding: 0 ${GAP}px ${GAP}px; display: flex; gap: ${GAP}px; align-items: flex-start;
    background: #8a9499; font: 600 15px sans-serif; }
  figure { margin: 0; }
  figcaption { padding: 10px 0; color: #fff; white-space: nowrap; }
  img { display: block; }
  img.cut { border-bottom: 4px dashed #b3261e; }`;

function overview(kinds: readonly Kind[]): string {
  const groups = Object.entries(GROUPS).map(([group, { english }]) => {
    const own = kinds.filter((kind) => kind.group === group);
    const shown = own.map(
      ({ id, title, when }) => `### ${title}\n\n${when}\n\n![${title}](mails/${id}.png)\n`,
    );
    return own.length === 0 ? '' : `## ${english}\n\n${shown.join('\n')}`;
  });
  return `# What people get

Every kind of mail, and the page of a result: at the width of a phone and of a desk, light and dark. The pictures are of a
run of the demo (\`npm run demo\`, whose page shows the same mails with their text and source);
\`deploy/node demo/pictures.ts\` takes them anew. Each mail has a text part that says the same, and an answer stands in the
thread of its request.

${groups.join('\n')}
## The page of a result

Behind the button of a result mail: all recordings, with a player each. It ends with its links.

![The page of a result](page.png)
`;
}

await main();
