import { expect, test } from 'vitest';
import { createNodeLinks } from '../../../node/links/node-links.ts';
import { verifyLink } from '../../../node/links/signed-link.ts';
import type { DirectLinks } from '../../../node/recordings/source.ts';
import { completeDelivery, DELIVERED_JOB, deliveredItem, directItem } from '../../support/delivered.ts';

const KEY = Buffer.alloc(32, 9);
const NOW = Temporal.Instant.from('2026-03-02T12:00:00Z');
const wanted = NOW.add({ hours: 24 });
const links = createNodeLinks({ nodeId: 'audio', linkKey: KEY, publicUrl: 'https://gravacoes.example.com/' });
const delivery = { job: DELIVERED_JOB, wanted, direct: null };
const direct: DirectLinks = {
  link: async ({ key }) => (key.includes('/./') ? null : `https://bucket.example.com/${key}`),
  linksUntil: async (until) => until,
};

/** What the node makes of a link. */
function judged(url: string | null) {
  const { pathname, searchParams } = new URL(url ?? 'https://none.example.com');
  const [, , node = '', job = '', name = ''] = pathname.split('/');
  const verdict = verifyLink(
    KEY,
    { node, job, name },
    searchParams.get('e') ?? '',
    searchParams.get('s') ?? '',
    NOW,
  );
  return { name, ...verdict };
}

test('each opens its object, in the way that it says, until the delivery ends', async () => {
  const item = deliveredItem(1);
  const [zip] = completeDelivery([item], '').zips;
  expect(await links.toPlay(delivery, item)).toMatch(
    /^https:\/\/gravacoes\.example\.com\/d\/audio\/(ab){32}\//,
  );
  expect(judged(await links.toPlay(delivery, item))).toEqual({
    name: item.fileName,
    kind: 'valid',
    disposition: 'inline',
  });
  expect(judged(await links.toSave(delivery, item))).toMatchObject({
    name: item.fileName,
    disposition: 'attachment',
  });
  expect(judged(await links.toZip(delivery, zip!))).toMatchObject({
    name: zip!.fileName,
    disposition: 'attachment',
  });
  expect(judged(await links.toPage(delivery, 1))).toMatchObject({
    name: 'gravacoes.html',
    disposition: 'inline',
  });
  expect(judged(await links.toPage(delivery, 3))).toMatchObject({ name: 'gravacoes-3.html' });
  expect(await links.until(delivery, true)).toEqual(wanted);
  expect(await links.toPlay(delivery, item)).toContain(`e=${wanted.epochMilliseconds / 1000}&`);
});

test('what was converted is played, and what was recorded is saved', async () => {
  const item = deliveredItem(1, {
    fileName: 'a.gsm',
    playable: false,
    playKey: `${DELIVERED_JOB}/a.tocar.wav`,
  });
  expect(judged(await links.toPlay(delivery, item)).name).toBe('a.tocar.wav');
  expect(judged(await links.toSave(delivery, item)).name).toBe('a.gsm');
});

test('a recording that lies in a bucket is led to by its name in the delivery, as long as its source gives links', async () => {
  const item = directItem(1);
  expect(await links.toPlay(delivery, item)).toBeNull();
  expect(judged(await links.toPlay({ ...delivery, direct }, item)).name).toBe(item.fileName);
  const dotted = { ...item, recording: { ...item.recording, key: '2026/./a.wav' } };
  expect(await links.toSave({ ...delivery, direct }, dotted)).toBeNull();
  expect(await links.toSave(delivery, deliveredItem(1, { key: null, fault: 'empty' }))).toBeNull();
});

test('links of a page lie beside it, and are signed alike', async () => {
  const beside = createNodeLinks({ nodeId: 'audio', linkKey: KEY, publicUrl: null });
  const item = deliveredItem(1);
  const link = (await beside.toPlay(delivery, item)) ?? '';
  expect(link).toMatch(/^\.\/20260301-090100_1121_2000-1\.wav\?e=\d+&s=[\w-]{43}$/);
  const page = await links.toPage(delivery, 1);
  expect(new URL(link, page).href).toBe(await links.toPlay(delivery, item));
});
