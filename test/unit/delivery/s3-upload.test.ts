import { expect, test } from 'vitest';
import { planUpload } from '../../../node/delivery/s3-upload.ts';

const MEGABYTE = 1024 * 1024;

test.each([undefined, 0, 2 * 2 ** 30, 40 * 2 ** 30])(
  'parts are small for an object of %s bytes',
  (expected) => {
    expect(planUpload(expected)).toEqual({ partBytes: 5 * MEGABYTE, partsAtATime: 4 });
  },
);

test.each([101e9, 500e9, 5e12])(
  'an object of %s bytes fits into 10,000 parts, a tenth to spare',
  (expected) => {
    const { partBytes } = planUpload(expected);
    expect(partBytes * 10_000).toBeGreaterThanOrEqual(expected * 1.1);
  },
);

test('what is sent at a time is bounded while parts grow', () => {
  for (const gigabytes of [50, 80, 100, 200, 400]) {
    const { partBytes, partsAtATime } = planUpload(gigabytes * 1e9);
    expect(partBytes * partsAtATime).toBeLessThanOrEqual(48 * MEGABYTE);
  }
});
