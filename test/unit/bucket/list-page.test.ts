import { describe, expect, test } from 'vitest';
import { readListPage } from '../../../node/bucket/list-page.ts';
import { codeOf } from '../../../node/platform/errors.ts';

const page = (content: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</ListBucketResult>\n`;
const entry = (key: string, more = '<StorageClass>STANDARD</StorageClass>'): string =>
  `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size>${more}</Contents>`;
const codeWith = (xml: string): string => {
  try {
    readListPage(xml);
    return 'read';
  } catch (error) {
    return codeOf(error);
  }
};

describe('a page of a listing', () => {
  test('is read with its objects, its directories and what goes on with it', () => {
    const xml = page(
      `<Name>b</Name><Prefix>x/</Prefix><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>${entry('x/a')}${entry('x/b')}` +
        '<CommonPrefixes><Prefix>x/c/</Prefix></CommonPrefixes><NextContinuationToken>a&amp;b=</NextContinuationToken>',
    );
    expect(readListPage(xml)).toEqual({
      objects: [
        { key: 'x/a', sizeBytes: 7, archived: false },
        { key: 'x/b', sizeBytes: 7, archived: false },
      ],
      directories: ['x/c/'],
      token: 'a&b=',
    });
  });

  test('that goes on and does not say where is refused, since it would pass for the last one', () => {
    expect(codeWith(page('<IsTruncated>true</IsTruncated>'))).toBe('recordings.unavailable');
  });

  test('whose entries never end is refused at once, however many there are', () => {
    const begun = performance.now();
    expect(codeWith(page('<Contents>'.repeat(200_000)))).toBe('recordings.unavailable');
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  test('that is empty, or the last one, has nothing that goes on with it', () => {
    const rest = '<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>';
    expect(readListPage(page(rest))).toEqual({ objects: [], directories: [], token: null });
  });

  test.each([
    ['a%20b%2Bc', true, 'a b+c'],
    ['a+b', true, 'a b'],
    ['%C3%A7%01%F0%9F%98%80', true, 'ç\u0001😀'],
    ['a+b%20', false, 'a+b%20'],
    ['a&amp;&lt;&gt;&quot;&apos;&#38;&#x41;&#xD;b', false, 'a&<>"\'&A\rb'],
    ['&amp;lt;', false, '&lt;'],
    ['&unknown;', false, '&unknown;'],
  ])('gives the key %s (encoded: %s) as it is', (written, encoded, key) => {
    const xml = page(`${encoded ? '<EncodingType>url</EncodingType>' : ''}${entry(written)}`);
    expect(readListPage(xml).objects[0]?.key).toBe(key);
  });

  test.each([
    ['<StorageClass>GLACIER</StorageClass>', true],
    ['<StorageClass>DEEP_ARCHIVE</StorageClass>', true],
    ['<StorageClass>GLACIER_IR</StorageClass>', false],
    ['<StorageClass>INTELLIGENT_TIERING</StorageClass>', false],
    ['', false],
    [
      '<StorageClass>GLACIER</StorageClass><RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>',
      true,
    ],
    [
      '<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>2026-02-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus><StorageClass>DEEP_ARCHIVE</StorageClass>',
      false,
    ],
  ])('tells of %s whether it can be read', (more, archived) => {
    expect(readListPage(page(entry('x/a', more))).objects).toEqual([{ key: 'x/a', sizeBytes: 7, archived }]);
  });

  test.each([
    ['not all of it', page(entry('a')).slice(0, -30)],
    ['another document', '<Error><Code>SlowDown</Code></Error>'],
    ['nothing', ''],
    ['fewer entries than it says', page(`<KeyCount>2</KeyCount>${entry('a')}`)],
    ['an object without a key', page('<Contents><Size>1</Size></Contents>')],
    ['an object without a size', page('<Contents><Key>a</Key></Contents>')],
    ['a key that is not encoded', page(`<EncodingType>url</EncodingType>${entry('100%')}`)],
  ])('is refused as something to be tried again where it is %s', (_, xml) => {
    expect(codeWith(xml)).toBe('recordings.unavailable');
  });
});
