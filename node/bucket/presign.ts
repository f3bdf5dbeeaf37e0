import type { S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { LinkPresentation } from '../recordings/source.ts';
import { endOf, lastingCredentials } from './credentials.ts';
import { dispositionOf } from './disposition.ts';
import { type BucketUse, explainS3 } from './errors.ts';
import type { S3Sdk } from './sdk.ts';

/** The longest that SigV4 lets a signed link live (AWS, "Authenticating Requests: Using Query Parameters"). */
const MAX_LINK_SECONDS = 7 * 24 * 60 * 60;

export interface PresignerOptions {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  readonly use: BucketUse;
  readonly clock: Clock;
}

/** Makes links that open objects of one bucket. */
export interface Presigner {
  /**
   * A link that opens `key` and nothing else until `expiresAt`, or until `linksUntil` says.
   * @throws AppError `<use>.expired` for a time that is over; `<use>.unavailable` (retriable) and `<use>.refused`
   * where no credentials can be had
   */
  link(key: string, as: LinkPresentation, expiresAt: Temporal.Instant): Promise<string>;
  /**
   * When a link made now to live until `wanted` truly dies: with the credentials that sign it, where these are
   * temporary and end earlier, and after seven days at the latest. Null where temporary credentials do not tell
   * their end. To be asked before the links are made: what is renewed in between only lives longer.
   * @throws AppError as `link` where no credentials can be had
   */
  linksUntil(wanted: Temporal.Instant): Promise<Temporal.Instant | null>;
}

export function createPresigner({ sdk, client, bucket, use, clock }: PresignerOptions): Presigner {
  const credentialsFor = lastingCredentials(client, clock);
  const signing = async <T>(sign: Promise<T>): Promise<T> => {
    try {
      return await sign;
    } catch (error) {
      throw explainS3(error, 'sign a link', use);
    }
  };
  return {
    link: async (key, { fileName, contentType, disposition }, expiresAt) => {
      const now = clock.now();
      const seconds = Math.floor(now.until(expiresAt).total('seconds'));
      if (seconds < 1)
        throw new AppError(`${use}.expired`, `a link that ended at ${expiresAt.toString()} cannot be made`);
      const command = new sdk.GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ResponseContentType: contentType,
        ResponseContentDisposition: dispositionOf({ disposition, fileName }),
        ResponseCacheControl: 'private, no-store',
      });
      await signing(credentialsFor(expiresAt));
      const signingDate = new Date(now.epochMilliseconds);
      const expiresIn = Math.min(seconds, MAX_LINK_SECONDS);
      return signing(sdk.getSignedUrl(client, command, { expiresIn, signingDate }));
    },
    linksUntil: async (wanted) => {
      const latest = earlier(wanted, clock.now().add({ seconds: MAX_LINK_SECONDS }));
      const end = endOf(await signing(credentialsFor(wanted)));
      if (end === 'unknown') return null;
      return end === null ? latest : earlier(latest, end);
    },
  };
}

function earlier(one: Temporal.Instant, other: Temporal.Instant): Temporal.Instant {
  return Temporal.Instant.compare(one, other) <= 0 ? one : other;
}
