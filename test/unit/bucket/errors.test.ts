import { describe, expect, test } from 'vitest';
import { explainS3 } from '../../../node/bucket/errors.ts';
import { AppError } from '../../../node/platform/errors.ts';

function answer(name: string, status: number, message = 'as told'): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } });
}

describe('an error of S3', () => {
  test('has the code of what the bucket is used for, and names its setting and rights', () => {
    const denied = answer('AccessDenied', 403);
    const gone = answer('NoSuchBucket', 404);
    const publish = explainS3(denied, 'store the result', 'publish');
    expect(publish).toMatchObject({ code: 'publish.refused', retriable: false });
    expect(publish.message).toMatch(/s3:PutObject.* on the bucket of S3_BUCKET$/);
    expect(explainS3(gone, 'x', 'publish').message).toContain('check S3_BUCKET,');
    const recordings = explainS3(denied, 'list recordings', 'recordings');
    expect(recordings).toMatchObject({ code: 'recordings.refused', retriable: false });
    expect(recordings.message).toMatch(/need s3:GetObject and s3:ListBucket on .*S3_RECORDINGS_BUCKET/);
    expect(recordings.message).not.toContain('PutObject');
    expect(explainS3(gone, 'x', 'recordings').message).toContain('S3_RECORDINGS_BUCKET');
    expect(explainS3(answer('SlowDown', 503), 'x', 'recordings')).toMatchObject({
      code: 'recordings.unavailable',
      retriable: true,
    });
  });

  test('that tells of missing credentials may pass, and names the settings', () => {
    const missing = Object.assign(new Error('Could not load credentials from any providers'), {
      name: 'CredentialsProviderError',
    });
    expect(explainS3(missing, 'store', 'publish')).toMatchObject({
      code: 'publish.unavailable',
      retriable: true,
      message: expect.stringContaining('S3_SECRET_ACCESS_KEY'),
    });
  });

  test('about an object in cold storage says that, not that a right is missing', () => {
    const cold = explainS3(answer('InvalidObjectState', 403), 'read', 'recordings');
    expect(cold.message).toContain('restored');
    expect(cold.message).not.toContain('s3:GetObject');
  });

  test('is told in few words, however much a server writes', () => {
    const long = explainS3(answer('Odd', 400, 'x'.repeat(100_000)), 'read', 'recordings');
    expect(long.message.length).toBeLessThan(500);
  });

  test('of ours goes through as it is', () => {
    const error = new AppError('recordings.shrunk', 'shrunk');
    expect(explainS3(error, 'store', 'publish')).toBe(error);
  });
});
