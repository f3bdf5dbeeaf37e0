import { buffer } from 'node:stream/consumers';
import { ZipArchive } from 'archiver';
import { describe, expect, test } from 'vitest';
import { readZip } from '../../../demo/zip-reader.ts';

async function zipOf(
  entries: Readonly<Record<string, string>>,
  store: boolean,
  forceZip64 = false,
): Promise<Buffer> {
  const archive = new ZipArchive({ store, forceZip64, zlib: { level: 1 } });
  for (const [name, content] of Object.entries(entries)) archive.append(content, { name });
  const [content] = await Promise.all([buffer(archive), archive.finalize()]);
  return content;
}

const ENTRIES = { 'a.txt': 'ação '.repeat(500), 'pasta/b é.txt': 'b', 'vazio.txt': '' };

describe('the ZIP reader of the demo', () => {
  test.each([
    ['stored', true],
    ['deflated', false],
  ])('gives every entry of a %s archive as it went in', async (_, store) => {
    const read = readZip(await zipOf(ENTRIES, store)).map(({ name, content }) => [name, content.toString()]);
    expect(Object.fromEntries(read)).toEqual(ENTRIES);
  });

  test('refuses an archive that is cut off', async () => {
    const zip = await zipOf(ENTRIES, true);
    expect(() => readZip(zip.subarray(0, -30))).toThrow('cut off');
  });

  test('refuses an entry whose content was changed', async () => {
    const zip = await zipOf(ENTRIES, true);
    zip.writeUInt8(0x7a, zip.indexOf('ação'));
    expect(() => readZip(zip)).toThrow('a.txt: its checksum is wrong');
  });
});
