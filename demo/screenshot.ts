import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { eventually, startChild } from '../test/support/process.ts';

/** Writes the picture of the README anew, from a run of the demo. Needs Chromium: `node demo/screenshot.ts [PATH]`. */
const CHROMIUM = process.argv[2] ?? '/usr/bin/chromium';
const DOCS = join(import.meta.dirname, '../docs');
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const WIDTH = 720;

interface ShownMail {
  readonly subject: string;
  readonly html: string | null;
}

await using demo = startChild(process.execPath, [join(import.meta.dirname, 'main.ts')]);
const url = await eventually(
  'the page of the demo',
  () => /^ +(http:\/\/127\.0\.0\.1:\d+\/)$/m.exec(demo.output())?.[1],
  60_000,
);
const { subject } = (await (await fetch(new URL('example', url))).json()) as { subject: string };
const [token = ''] = subject.split('RAMAIS=');
const wanted = fewer(subject);
await fetch(new URL('send', url), {
  method: 'POST',
  body: new URLSearchParams({ subject: `${token}${wanted}` }),
});
const result = await eventually('the result', async () => {
  const mails = (await (await fetch(new URL('mails', url))).json()) as ShownMail[];
  return mails.find(({ html, subject: of }) => of.endsWith(wanted) && html?.includes('Tocar') === true);
});

await mkdir(DOCS, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
try {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 900 }, deviceScaleFactor: 1.5 });
  await page.setContent(result.html ?? '');
  await page.screenshot({ path: join(DOCS, 'result-mail.png'), fullPage: true });
} finally {
  await browser.close();
}
await demo.end('SIGINT');

/** Two extensions and one day: a mail that fits a picture. */
function fewer(example: string): string {
  const day = /FIM=(?<day>\d\d\/\d\d\/\d{4})/.exec(example)?.groups?.['day'] ?? '';
  const yesterday = Temporal.PlainDate.from(day.split('/').toReversed().join('-')).subtract({ days: 1 });
  const written = yesterday.toString().split('-').toReversed().join('/');
  return `RAMAIS=1123,1130 INICIO=${written} FIM=${written}`;
}
