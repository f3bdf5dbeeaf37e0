import type { S3Client } from '@aws-sdk/client-s3';
import { boundAnswers } from './bounded-answers.ts';
import type { S3Sdk } from './sdk.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 60_000;
const MAX_SOCKETS = 32;
const DEFAULT_ATTEMPTS = 4;

/** Where buckets are and who asks for them. */
export interface S3Account {
  readonly region: string;
  /** S3_ENDPOINT of a server other than AWS; null for AWS. */
  readonly endpoint: string | null;
  /** Null: the SDK's default chain (environment, profile, role of the host). */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null;
  /** Tries of one request, the first included. */
  readonly maxAttempts?: number;
}

/** A client as every part of the node uses it: bounded in time, connections and answers, and with servers other than AWS in mind. */
export function makeClient(sdk: S3Sdk, options: S3Account): S3Client {
  const client = new sdk.S3Client({
    region: options.region,
    ...(options.endpoint === null ? {} : { endpoint: options.endpoint, forcePathStyle: true }),
    ...(options.credentials === null ? {} : { credentials: options.credentials }),
    maxAttempts: options.maxAttempts ?? DEFAULT_ATTEMPTS,
    // Trailing checksums are refused by servers other than AWS (Ceph: 411).
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Asking first costs a round trip for each part, and parts are small.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  });
  boundAnswers(client);
  return client;
}
