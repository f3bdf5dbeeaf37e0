import type { ListObjectsV2CommandInput, S3Client } from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { type BucketUse, explainS3, failureOf } from './errors.ts';
import { type ListPage, readListPage } from './list-page.ts';
import { patiently } from './patience.ts';
import type { S3Sdk } from './sdk.ts';

const EMPTY_PAGE = '<ListBucketResult></ListBucketResult>';
/** Greater than any character that a key goes on with. */
const LAST_CHARACTER = '\u{10FFFF}';

export interface ListerOptions {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  readonly clock: Clock;
  /** What the bucket is for: the first part of the codes of errors; `recordings` unless told. */
  readonly use?: BucketUse;
}

export interface PageRequest {
  readonly prefix: string;
  /** Only keys after this one, which may but need not exist. */
  readonly after?: string | null;
  /** Goes on from the page that gave it; `after` counts no more then. */
  readonly token?: string | null;
  /** Gives what goes on beyond one of these once, as directories. */
  readonly delimiter?: '/' | '-';
  /** At most so many entries; 1,000 unless told. */
  readonly limit?: number;
}

/** Lists one bucket. */
export interface Lister {
  /**
   * One page. @throws AppError `<use>.unavailable` (retriable) after some patience, `<use>.refused` with what to do;
   * `recordings.unavailable` for an answer that is none; the signal's reason
   */
  page(request: PageRequest, signal: AbortSignal): Promise<ListPage>;
}

/** A key to go on after (`PageRequest.after`) that passes over all keys with this prefix. */
export function afterAll(prefix: string): string {
  return prefix + LAST_CHARACTER;
}

/** Lists as the SDK does, but reads the answers itself (list-page.ts). */
export function createLister(options: ListerOptions): Lister {
  // Servers other than AWS may not know what objects in cold storage are, and refuse to be asked.
  const server = { tellsRestored: true };
  const { use = 'recordings' } = options;
  return {
    page: async (request, signal) => {
      try {
        const list = (): Promise<ListPage> => listOnce(options, server, request, signal);
        return await patiently(use, options.clock, signal, async () => goingOn(await list(), request));
      } catch (error) {
        signal.throwIfAborted();
        throw explainS3(error, use === 'publish' ? 'list results' : 'list the recordings', use);
      }
    },
  };
}

/** A page that leads to itself would be listed for ever, and its recordings found as often. */
function goingOn(page: ListPage, { token = null }: PageRequest): ListPage {
  if (token === null || page.token !== token) return page;
  const message = "the bucket's listing cannot be used: it does not come further";
  throw new AppError('recordings.unavailable', message, { retriable: true });
}

async function listOnce(
  options: ListerOptions,
  server: { tellsRestored: boolean },
  request: PageRequest,
  signal: AbortSignal,
): Promise<ListPage> {
  if (!server.tellsRestored) return send(options, inputOf(options, request), signal);
  try {
    const input = { ...inputOf(options, request), OptionalObjectAttributes: ['RestoreStatus' as const] };
    return await send(options, input, signal);
  } catch (error) {
    const { status } = failureOf(error);
    if (status !== 400 && status !== 501) throw error;
    const page = await send(options, inputOf(options, request), signal);
    server.tellsRestored = false;
    return page;
  }
}

function inputOf({ bucket }: ListerOptions, request: PageRequest): ListObjectsV2CommandInput {
  const { prefix, after = null, token = null, delimiter, limit } = request;
  return {
    Bucket: bucket,
    Prefix: prefix,
    EncodingType: 'url',
    ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
    ...(token !== null ? { ContinuationToken: token } : after !== null ? { StartAfter: after } : {}),
    ...(limit === undefined ? {} : { MaxKeys: limit }),
  };
}

/** As the SDK hands an answer on that nobody has read yet. */
type Handler = (args: unknown) => Promise<{ readonly response: { statusCode: number; body: Readable } }>;

/** Has the SDK sign, send and try again, and reads the answer in its place. */
async function send(
  { sdk, client }: ListerOptions,
  input: ListObjectsV2CommandInput,
  signal: AbortSignal,
): Promise<ListPage> {
  const command = new sdk.ListObjectsV2Command(input);
  const taken: { page: ListPage | null } = { page: null };
  const read = (next: Handler) => async (args: unknown) => {
    const result = await next(args);
    const { response } = result;
    if (response.statusCode === 200) {
      taken.page = readListPage(await text(response.body));
      response.body = Readable.from([Buffer.from(EMPTY_PAGE)]);
    }
    return result;
  };
  const { middlewareStack } = command;
  middlewareStack.addRelativeTo(read as Parameters<typeof middlewareStack.addRelativeTo>[0], {
    name: 'readListPage',
    // Around what bounds it (bounded-answers.ts).
    relation: 'before',
    toMiddleware: 'boundAnswers',
  });
  await client.send(command, { abortSignal: signal });
  if (taken.page === null) {
    throw new AppError('recordings.unavailable', 'S3 gave no listing', { retriable: true });
  }
  return taken.page;
}
