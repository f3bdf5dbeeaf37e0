import { AppError, messageOf } from '../platform/errors.ts';

/** Answers of S3 that pass by themselves though their status is of the 400s. */
const PASSING: ReadonlySet<string> = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'RequestTimeout',
  'TimeoutError',
  'OperationAborted',
  'ConditionalRequestConflict',
  'IncompleteBody',
  // The upload was ended from elsewhere: the next attempt begins a new one.
  'NoSuchUpload',
]);

/** What to do about the others, by the name S3 gives them. */
const REMEDIES: Readonly<Record<string, string>> = {
  NoSuchBucket: 'the bucket does not exist: check S3_BUCKET (and S3_REGION, S3_ENDPOINT)',
  AccessDenied:
    'the credentials may not do this: they need s3:PutObject, s3:GetObject, s3:DeleteObject, s3:ListBucket, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads on S3_BUCKET',
  InvalidAccessKeyId: 'S3 does not know the access key: check S3_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret does not fit the access key: check S3_SECRET_ACCESS_KEY',
  RequestTimeTooSkewed: 'the clock of this host is wrong by many minutes: check NTP',
  ExpiredToken: 'the temporary credentials have expired: check where the SDK takes them from',
  PermanentRedirect: 'the bucket lies in another region: check S3_REGION',
  AuthorizationHeaderMalformed: 'the bucket lies in another region: check S3_REGION',
  CredentialsProviderError:
    'no credentials were found: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or give the host a role',
};

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
 * An SDK error as ours: `publish.unavailable` (retriable) where it may pass, `publish.refused` with what to do where
 * somebody must act. An AppError goes through. Nothing secret is in the message: of S3's answer only its name is told.
 */
export function explainS3(error: unknown, doing: string): AppError {
  if (error instanceof AppError) return error;
  const { name, status } = failureOf(error);
  const remedy = REMEDIES[name];
  const refused =
    remedy !== undefined || (status !== null && status >= 300 && status < 500 && status !== 429);
  if (refused && !PASSING.has(name)) {
    const what = remedy ?? (status === 401 || status === 403 ? REMEDIES['AccessDenied'] : messageOf(error));
    return new AppError('publish.refused', `S3 refused to ${doing} (${name}): ${what}`, { cause: error });
  }
  const told = status === null ? messageOf(error) : `${name}, status ${status}`;
  return new AppError('publish.unavailable', `S3 could not ${doing}: ${told}`, {
    retriable: true,
    cause: error,
  });
}
