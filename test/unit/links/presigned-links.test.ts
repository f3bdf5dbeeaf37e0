import { describe, expect, test } from 'vitest';
import type { Presign, PublishedObject } from '../../../node/delivery/publisher.ts';
import { createPresignedLinks } from '../../../node/links/presigned-links.ts';
import type { DirectLinks } from '../../../node/recordings/source.ts';
import { completeDelivery, DELIVERED_JOB, deliveredItem, directItem } from '../../support/delivered.ts';

const NOW = Temporal.Instant.from('2026-03-02T12:00:00Z');
const wanted = NOW.add({ hours: 24 });
const soon = NOW.add({ hours: 1 });
const later = NOW.add({ hours: 2 });

function setup(end: Temporal.Instant | null, directEnd: Temporal.Instant | null = wanted) {
  const made: PublishedObject[] = [];
  const presign: Presign = {
    link: async (object) => {
      made.push(object);
      return `https://bucket.example.com/${object.key}`;
    },
    linksUntil: async () => end,
  };
  const direct: DirectLinks = {
    link: async ({ key }, { disposition }) => `https://source.example.com/${key}?${disposition}`,
    linksUntil: async () => directEnd,
  };
  const delivery = { job: DELIVERED_JOB, wanted, direct };
  return { links: createPresignedLinks(presign), delivery, made };
}

test('a published recording is played inline and saved as an attachment; ZIP and page are objects too', async () => {
  const { links, delivery, made } = setup(wanted);
  const item = deliveredItem(1);
  await links.toPlay(delivery, item);
  await links.toSave(delivery, item);
  await links.toZip(delivery, completeDelivery([item], '').zips[0]!);
  await links.toPage(delivery, 2);
  expect(made.map(({ key, disposition, contentType }) => [key.slice(65), disposition, contentType])).toEqual([
    [item.fileName, 'inline', 'audio/wav'],
    [item.fileName, 'attachment', 'audio/wav'],
    ['gravacoes-20260301-0900.zip', 'attachment', 'application/zip'],
    ['gravacoes-2.html', 'inline', 'text/html; charset=utf-8'],
  ]);
});

test('what was converted is played, also of a recording that is saved from where it lies', async () => {
  const { links, delivery, made } = setup(wanted);
  const item = directItem(1, { fileName: 'a.gsm', playKey: `${DELIVERED_JOB}/a.tocar.wav` });
  await links.toPlay(delivery, item);
  expect(made[0]).toMatchObject({ key: item.playKey, contentType: 'audio/wav', disposition: 'inline' });
  expect(await links.toSave(delivery, item)).toBe(
    `https://source.example.com/${item.recording.key}?attachment`,
  );
});

test('nobody can make a link to what was left out, or lies in a source that gives none', async () => {
  const { links, delivery } = setup(wanted);
  expect(await links.toPlay(delivery, deliveredItem(1, { key: null, fault: 'empty' }))).toBeNull();
  expect(await links.toPlay({ ...delivery, direct: null }, directItem(1))).toBeNull();
});

describe('links end', () => {
  test('with the credentials that end first, of those that count', async () => {
    const { links, delivery } = setup(later, soon);
    expect(await links.until(delivery, true)).toEqual(soon);
    expect(await links.until(delivery, false)).toEqual(later);
  });

  test('nobody knows when, where some do not tell', async () => {
    expect(await setup(null, soon).links.until(setup(null).delivery, true)).toBeNull();
    const { links, delivery } = setup(soon, null);
    expect(await links.until(delivery, true)).toBeNull();
  });
});
