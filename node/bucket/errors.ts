import { AppError, messageOf } from '../platform/errors.ts';

const MAX_MESSAGE_LENGTH = 300;

/** Answers of S3 that pass by themselves though their status is of the 400s. */
const PASSING: ReadonlySet<string> = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'KMS.ThrottlingException',
  'TooManyRequestsException',
  'RequestTimeout',
  'TimeoutError',
  'OperationAborted',
  'ConditionalRequestConflict',
  'IncompleteBody',
  // The upload was ended from elsewhere: the next attempt begins a new one.
  'NoSuchUpload',
  // The host's role, or whoever else gives credentials, did not answer.
  'CredentialsProviderError',
]);

/** What a bucket is used for, and with that the first part of its errors' codes. */
export type BucketUse = 'publish' | 'recordings';

/** The settings and rights that each use has. */
const USES: Readonly<Record<BucketUse, { readonly setting: string; readonly rights: string }>> = {
  publish: {
    setting: 'S3_BUCKET',
    rights:
      's3:PutObject, s3:GetObject, s3:DeleteObject, s3:ListBucket, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads',
  },
  recordings: {
    setting: 'S3_RECORDINGS_BUCKET (S3_BUCKET where that is not set)',
    rights: 's3:GetObject and s3:ListBucket',
  },
};

const KEYS_OR_ROLE = 'set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or give the host a role';
const OTHER_REGION = 'the bucket lies in another region: check S3_REGION';

/** What to do, by the name that S3 gives an error. */
function remedyOf(name: string, use: BucketUse): string | null {
  const { setting, rights } = USES[use];
  const remedies: Readonly<Record<string, string>> = {
    NoSuchBucket: `the bucket does not exist: check ${setting}, S3_REGION and S3_ENDPOINT`,
    AccessDenied: `the credentials may not do this: they need ${rights} on the bucket of ${setting}`,
    InvalidObjectState: 'the object lies in cold storage: it must be restored before it can be read',
    InvalidAccessKeyId: 'S3 does not know the access key: check S3_ACCESS_KEY_ID',
    SignatureDoesNotMatch: 'the secret does not fit the access key: check S3_SECRET_ACCESS_KEY',
    RequestTimeTooSkewed: 'the clock of this host is wrong by many minutes: check NTP',
    ExpiredToken: 'the temporary credentials have expired: check where the SDK takes them from',
    PermanentRedirect: OTHER_REGION,
    AuthorizationHeaderMalformed: OTHER_REGION,
    CredentialsProviderError: `no credentials were found: ${KEYS_OR_ROLE}`,
  };
  return remedies[name] ?? null;
}

interface S3Failure {
  readonly name: string;
  readonly status: number | null;
}

/** What can be told of an error of the SDK: the name S3 gave it, and the HTTP status where there was an answer. */
export function failureOf(error: unknown): S3Failure {
  const name = error instanceof Error ? error.name : 'unknown';
  const metadata: unknown = error instanceof Error && '$metadata' in error ? error.$metadata : null;
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? metadata.httpStatusCode
      : null;
  return { name, status: typeof status === 'number' ? status : null };
}

/** Whether S3 said that there is no such thing (a HEAD has no body, so it says `NotFound` or nothing but 404). */
export function isNotFound(error: unknown): boolean {
  const { name, status } = failureOf(error);
  return (
    name === 'NotFound' ||
    name === 'NoSuchKey' ||
    name === 'NoSuchUpload' ||
    (status === 404 && name !== 'NoSuchBucket')
  );
}

/**
 * An SDK error as ours: `<use>.unavailable` (retriable) where it may pass, `<use>.refused` with what to do where
 * somebody must act. An AppError goes through. `doing` goes on "S3 could not …": `store the result`.
 */
export function explainS3(error: unknown, doing: string, use: BucketUse): AppError {
  if (error instanceof AppError) return error;
  const { name, status } = failureOf(error);
  const remedy = remedyOf(name, use);
  const refused = remedy !== null || (status !== null && status >= 300 && status < 500 && status !== 429);
  if (refused && !PASSING.has(name)) {
    const forbidden = status === 401 || status === 403 ? remedyOf('AccessDenied', use) : null;
    const what = remedy ?? forbidden ?? shortMessage(error);
    return new AppError(`${use}.refused`, `S3 refused to ${doing} (${name}): ${what}`, { cause: error });
  }
  const told = status === null ? (remedy ?? shortMessage(error)) : `${name}, status ${status}`;
  return new AppError(`${use}.unavailable`, `S3 could not ${doing}: ${told}`, {
    retriable: true,
    cause: error,
  });
}

/**
 * A bucket of recordings with nothing in it: that is taken for a setting that leads elsewhere, since an answer of
 * "nothing found" would hide it. `root` is what keys are to begin with.
 */
export function emptyBucket(bucket: string, root: string): AppError {
  const where = `the bucket ${bucket}${root === '' ? '' : ` below ${root}`}`;
  const message = `${where} is empty: check S3_RECORDINGS_BUCKET and S3_RECORDINGS_PREFIX`;
  return new AppError('recordings.unavailable', message, { retriable: true });
}

/** What a server writes is as long as it likes. */
function shortMessage(error: unknown): string {
  return messageOf(error).slice(0, MAX_MESSAGE_LENGTH);
}
