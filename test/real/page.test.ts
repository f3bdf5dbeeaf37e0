import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, chromium, type Locator, type Page, type Response } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { signLink } from '../../node/links/signed-link.ts';
import { loadSecretKey } from '../../node/platform/secret-key.ts';
import { gsm, recordingName, wav } from '../support/audio.ts';
import { type Ceph, startCeph } from '../support/ceph.ts';
import type { MailServers } from '../support/exim.ts';
import { type NodeUnderTest, prepareNode } from '../support/node.ts';
import { eventually, freePort } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { unzip } from '../support/zip.ts';

const { describe, test } = needs('chromium', 'ceph', 'sox', 'unzip');
/** A quarter of an hour: a browser does not have all of it when somebody seeks. */
const LONG_BYTES = 14_000_000;
const RECORDINGS: Readonly<Record<string, Buffer>> = {
  [recordingName('1121', '2000', '20260301-090000')]: wav(LONG_BYTES),
  [recordingName('1121', '2000', '20260301-090100', '1761548400.8', 'mp3')]: mp3(400),
  [recordingName('1121', '2000', '20260301-090200', '1761548400.9', 'gsm')]: gsm(100),
};
/** Recordings that lie in a bucket are heard there; what is made of them is published. */
const LYING = { SOURCES: 's3', AUDIOS_FROM: 's3', S3_RECORDINGS_BUCKET: 'gravacoes' };
const QUERY = ['--ramais', '1121', '--inicio', '01/03/2026', '--fim', '01/03/2026'];
/** Where the button of a player is. */
const PLAY = { position: { x: 24, y: 22 } };

/** A node that has delivered, and the links that it shows. */
interface Delivered {
  readonly node: NodeUnderTest;
  readonly job: string;
  readonly links: ReadonlyMap<string, string>;
  readonly page: string;
}

let ceph: Ceph;
let browser: Browser;
/** By who keeps what was delivered, and who answers its links. */
const delivered = new Map<string, Delivered>();
const of = (kind: string): Delivered => delivered.get(kind)!;

/** Silence of so many frames (26 ms each): MPEG-1 Layer III, 128 kbit/s, 44.1 kHz. */
function mp3(frames: number): Buffer {
  const frame = Buffer.alloc(417);
  frame.writeUInt32BE(0xff_fb_90_00);
  return Buffer.concat(Array.from({ length: frames }, () => frame));
}

/** Nobody sends or gets mail here: what a node gives out is asked of node-ctl. */
async function deliver(settings: Record<string, string>, s3: boolean): Promise<Delivered> {
  const nowhere = {
    host: '127.0.0.1',
    imapPort: await freePort(),
    smtpPort: await freePort(),
    password: 'x',
  };
  const servers = { dovecot: nowhere, exim: nowhere } as unknown as MailServers;
  const bucket = s3 ? { s3: { ceph, bucket: 'parelha' } } : {};
  const node = await prepareNode({ servers, ...bucket, settings });
  for (const [name, content] of Object.entries(RECORDINGS)) {
    await writeFile(join(node.recordingsDir, name), content);
  }
  await node.start();
  const exported = await node.ctl('--json', 'recordings', 'export', ...QUERY);
  const { id: job } = JSON.parse(exported.out) as { id: string };
  const { links } = JSON.parse((await node.ctl('--json', 'queue', 'show', job)).out) as {
    links: { name: string; url: string }[];
  };
  const byName = new Map(links.map(({ name, url }) => [name, url]));
  return { node, job, links: byName, page: byName.get('gravacoes.html') ?? '' };
}

/** A page of the browser, with what it was answered and what it complained of. */
async function openPage(url: string) {
  const context = await browser.newContext({ acceptDownloads: true });
  const page = await context.newPage();
  const responses: Response[] = [];
  const complaints: string[] = [];
  page.on('response', (response) => void responses.push(response));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  const answer = await page.goto(url);
  return {
    ...{ page, responses, complaints, status: answer?.status() },
    [Symbol.asyncDispose]: () => context.close(),
  };
}

const numberOf = (audio: Locator, what: 'currentTime' | 'duration'): Promise<number> =>
  audio.evaluate((element, name) => (element as unknown as Player)[name], what);

/** What is used of an HTMLMediaElement. */
interface Player {
  currentTime: number;
  readonly duration: number;
  play(): Promise<void>;
  pause(): void;
}

/** Findings that keep somebody from reading or using the page. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>(
    'axe.run(document, { resultTypes: ["violations"] })',
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** The same on a phone and on a screen, light and dark. */
async function findingsEverywhere(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [360, 1200]) {
      await page.setViewportSize({ width, height: 900 });
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      if (wide > width) found.push(`at ${width} px it is ${wide} px wide`);
      found.push(...(await findings(page)).map((finding) => `${colorScheme}, ${width} px: ${finding}`));
    }
  }
  return found;
}

const FILES = 'files, answered by the node';
const OBJECTS = 'objects and recordings where they lie, led to by the node';
const BUCKET = 'objects, answered by the bucket';

describe('what people get, in a browser', () => {
  beforeAll(async () => {
    ceph = await startCeph();
    for (const bucket of ['parelha', LYING.S3_RECORDINGS_BUCKET]) await ceph.makeBucket(bucket);
    for (const [Key, Body] of Object.entries(RECORDINGS)) {
      await ceph.client.send(new PutObjectCommand({ Bucket: LYING.S3_RECORDINGS_BUCKET, Key, Body }));
    }
    const port = await freePort();
    const answering = { WEB_LISTEN: `127.0.0.1:${port}`, PUBLIC_URL: `http://127.0.0.1:${port}` };
    const [web, node, alone, started] = await Promise.all([
      deliver({ TRANSCODE: 'on' }, false),
      deliver({ ...answering, ...LYING, TRANSCODE: 'on' }, true),
      deliver({ NODE_ID: 'audio2' }, true),
      chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
      }),
    ]);
    browser = started;
    delivered.set(FILES, web);
    delivered.set(OBJECTS, node);
    delivered.set(BUCKET, alone);
  });
  afterAll(async () => {
    await browser.close();
    for (const { node } of delivered.values()) await node[Symbol.asyncDispose]();
    await ceph.end();
  });

  test.each([FILES, OBJECTS, BUCKET])(
    'the page plays WAV and MP3, and seeking asks for a part alone: %s',
    async (kind) => {
      await using opened = await openPage(of(kind).page);
      const { page, responses, complaints } = opened;
      // Browsers do not play GSM: it is there to be saved, unless it was converted.
      const players = await page.locator('audio').all();
      expect(players).toHaveLength(kind === BUCKET ? 2 : 3);
      await expect(page.locator('a[href*=".gsm?"]').count()).resolves.toBe(1);
      for (const audio of players.toReversed()) {
        await audio.click(PLAY);
        await eventually('it to play', async () => (await numberOf(audio, 'currentTime')) > 0.3);
        await audio.evaluate((element) => (element as unknown as Player).pause());
      }
      const long = page.locator('audio').first();
      const duration = await numberOf(long, 'duration');
      expect(duration).toBeCloseTo((LONG_BYTES - 44) / 16_000, 0);
      await long.evaluate((element) => {
        const audio = element as unknown as Player;
        audio.currentTime = audio.duration * 0.9;
        return audio.play();
      });
      await eventually(
        'it to play from there',
        async () => (await numberOf(long, 'currentTime')) > duration * 0.9 + 0.3,
      );
      const parts = responses.flatMap((response) => {
        const [, first = '0'] = /^bytes (\d+)-/.exec(response.headers()['content-range'] ?? '') ?? [];
        return response.status() === 206 ? [Number(first)] : [];
      });
      expect(Math.max(...parts)).toBeGreaterThan(LONG_BYTES / 2);
      expect(complaints).toEqual([]);
    },
  );

  test.each([FILES, OBJECTS, BUCKET])(
    'the ZIP is saved and holds them as they were recorded, and so is each alone: %s',
    async (kind) => {
      await using opened = await openPage(of(kind).page);
      const { page } = opened;
      const save = async (part: string) => {
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          page.locator(`a[href*="${part}?"]`).first().click(),
        ]);
        return { name: download.suggestedFilename(), content: await readFile(await download.path()) };
      };
      const zip = await save('.zip');
      expect(zip.name).toBe('gravacoes-20260301-0900.zip');
      const entries = await unzip(zip.content);
      expect([...entries.keys()].map((name) => name.split('.').at(-1))).toEqual(['wav', 'mp3', 'gsm', 'csv']);
      const single = await save('.gsm');
      expect(single.name).toBe('20260301-090200_1121_2000.gsm');
      expect(single.content.equals(gsm(100))).toBe(true);
      expect(entries.get(single.name)?.equals(gsm(100))).toBe(true);
    },
  );

  test('the page can be read and used by everybody', async () => {
    await using opened = await openPage(of(FILES).page);
    expect(await findingsEverywhere(opened.page)).toEqual([]);
  });

  test('a link that is altered or has expired shows a friendly page', async () => {
    const { node, job, page: link } = of(FILES);
    const name = 'gravacoes.html';
    const key = await loadSecretKey(join(node.stateDir, 'link.key'));
    const over = Temporal.Instant.from('2026-03-01T00:00:00Z');
    const expired = signLink(key, { node: 'audio', job, name, disposition: 'inline' }, over);
    const cases = [
      [node.publicUrl + expired, 410, 'expirou'],
      [link.replace(/e=\d/, 'e=3'), 403, 'não é válido'],
      [link.replace('gravacoes.html', 'gravacoes-2.html'), 403, 'não é válido'],
      [`${node.publicUrl}/d/${job}`, 404, 'neste endereço'],
    ] as const;
    for (const [url, status, said] of cases) {
      await using opened = await openPage(url);
      expect([url, opened.status]).toEqual([url, status]);
      await expect(opened.page.locator('h1').textContent()).resolves.toContain(said);
    }
  });

  test.each([FILES, OBJECTS])(
    'links that are revoked open nothing, and a friendly page says so: %s',
    async (kind) => {
      const { node, job, links } = of(kind);
      expect((await fetch(of(kind).page)).status).toBe(200);
      expect((await node.ctl('link', 'list')).out).toMatch(/ open .* [1-9]\d* +- +RAMAIS/);
      const revoked = await node.ctl('link', 'revoke', job.slice(0, 8), '--yes');
      // Where they lie, who was led there in the last hour can hear them still.
      expect([revoked.code, revoked.out.includes('3 recordings are heard where')]).toEqual(
        kind === FILES ? [0, false] : [4, true],
      );
      for (const url of links.values()) {
        const answer = await fetch(url, { redirect: 'manual' });
        expect([url, answer.status]).toEqual([url, 410]);
      }
      await using opened = await openPage(of(kind).page);
      await expect(opened.page.locator('h1').textContent()).resolves.toContain('cancelado');
      expect(await findingsEverywhere(opened.page)).toEqual([]);
      const told = await node.ctl('audit', 'show', '--job', job);
      expect(told.out).toMatch(/link\.opened/);
      expect(told.out).toMatch(/links\.revoked/);
    },
  );

  test('what was revoked is gone from the bucket that answers its links by itself', async () => {
    const { node, job, links } = of(BUCKET);
    expect((await fetch(of(BUCKET).page)).status).toBe(200);
    expect((await node.ctl('link', 'revoke', job, '--yes')).code).toBe(0);
    for (const url of links.values()) expect((await fetch(url)).status).toBe(404);
  });
});
