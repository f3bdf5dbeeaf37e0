import { CompactSign, errors, jwtVerify } from 'jose';
import * as z from 'zod';
import type { Job, JobRequest, SourceName } from '../../protocol/job.ts';
import {
  type DroppedPart,
  droppedPartSchema,
  type LegacyDocument,
  MAX_DROP_BYTES,
} from '../../protocol/legacy.ts';
import { LEGACY_COMMAND, readLegacyRequest } from '../commands/legacy-request.ts';
import { ramaisParamsSchema } from '../commands/ramais-grammar.ts';
import { formatWallTime, wallTimeOf } from '../commands/wall-time.ts';
import { TOKEN_ALGORITHM } from '../peer/call-token.ts';
import type { Credentials } from '../peer/credentials.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { digestOf } from '../queue/job-file.ts';

/** Media type of the token, so that no other token of the same key passes for one (RFC 8725 section 3.11). */
const DROP_TOKEN_TYPE = 'parelha-drop+jwt';
/** A file may lie there for days while a node is down; an older one than this was kept by somebody. */
const MAX_AGE_DAYS = 60;
/** Two clocks may be further apart than a call allows: that is when files are dropped. */
const SKEW_SECONDS = 86_400;
const REQUIRED_CLAIMS = ['iss', 'aud', 'sub', 'iat', 'digest', 'source'];
const claimsSchema = z.object({ iat: z.int().nonnegative(), digest: z.string(), source: z.string() });

/** What a file of the peer hands over, once it is proved to be the peer's. */
export interface HandedOver {
  readonly peerId: string;
  readonly id: string;
  readonly request: JobRequest;
  readonly source: SourceName;
}

export interface DropDocuments {
  /**
   * The file that hands a job over: the old queue document with what this node adds.
   * @throws AppError `drop.unfit` where the old form cannot say it
   */
  print(job: Job): Promise<Uint8Array>;
  /** Proves the field `parelha` of a file. @throws AppError `drop.unproved` with the reason */
  verify(part: unknown): Promise<HandedOver>;
}

export interface DropDocumentOptions {
  readonly nodeId: string;
  readonly peerId: string;
  readonly credentials: Credentials;
  /** RECORDINGS_TZ: in which the old documents tell times. */
  readonly timeZone: string;
  readonly clock: Clock;
}

/** Prints and proves the files that the two nodes drop at one another. */
export function createDropDocuments(options: DropDocumentOptions): DropDocuments {
  const { clock, timeZone } = options;
  return {
    print: async (job) => {
      const old = legacyFields(job, timeZone);
      const { id, digest, request, source } = job;
      if (source === null) throw unfit('it names no source');
      const parelha: DroppedPart = {
        id,
        digest,
        request,
        source,
        token: await sign(options, job, clock.now()),
      };
      const document = Buffer.from(`${JSON.stringify({ ...old, parelha }, null, 2)}\n`);
      if (document.length <= MAX_DROP_BYTES) return document;
      throw unfit(`it has ${document.length} bytes, of at most ${MAX_DROP_BYTES}`);
    },
    verify: async (part) => {
      const parsed = droppedPartSchema.safeParse(part);
      if (!parsed.success) throw unproved(`malformed: ${z.prettifyError(parsed.error).slice(0, 300)}`);
      const { id, digest, request, source, token } = parsed.data;
      const claims = await verified(options, token, id, clock.now());
      if (claims.digest !== digest || claims.source !== source)
        throw unproved('the token is for another request');
      if (digestOf(request) !== digest) throw unproved('the digest is not that of the request');
      return { peerId: options.peerId, id, request, source };
    },
  };
}

/** The old document, as a Python node writes and reads it: minutes only, a FIM with its whole minute. */
function legacyFields({ id, request, source, acceptedAt }: Job, timeZone: string): LegacyDocument {
  const { command, requester } = request;
  const params = ramaisParamsSchema.safeParse(request.params);
  if (command !== LEGACY_COMMAND || !params.success) throw unfit(`it is no ${LEGACY_COMMAND}`);
  if (requester === null) throw unfit('nobody is to be answered');
  const { extensions, start, end, server } = params.data;
  const received = wallTimeOf(Temporal.Instant.from(acceptedAt), timeZone).replace('T', ' ');
  const stamp = received.replaceAll(/[-:]/g, '').replace(' ', '_');
  const document: LegacyDocument = {
    request_id: `${stamp}_req${id.slice(0, 12)}`,
    timestamp_received: received,
    from_email: requester,
    status: 'pending',
    retries: 0,
    parameters: {
      ramais: extensions.join(','),
      inicio: minuteOf(start),
      fim: minuteOf(end),
      email: requester,
      ...(server === null ? {} : { server }),
      ...(source === null ? {} : { audios_from: source }),
    },
  };
  // Old documents know plain addresses alone, and whoever takes the file goes by them.
  if (readLegacyRequest(document).requester !== requester)
    throw unfit('its requester has an unusual address');
  return document;
}

/** `DD/MM/YYYY HH:MM`: cut, a start is earlier by its seconds, and an end takes in its whole minute. */
function minuteOf(time: string): string {
  return formatWallTime(time).slice(0, 'DD/MM/YYYY HH:MM'.length);
}

function sign(
  { nodeId, peerId, credentials }: DropDocumentOptions,
  job: Job,
  now: Temporal.Instant,
): Promise<string> {
  const { kid, privateKey } = credentials.own().tokenKey;
  const iat = Math.floor(now.epochMilliseconds / 1000);
  const claims = { iss: nodeId, aud: peerId, sub: job.id, iat, digest: job.digest, source: job.source };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: DROP_TOKEN_TYPE, kid })
    .sign(privateKey);
}

async function verified(
  { nodeId, peerId, credentials }: DropDocumentOptions,
  token: string,
  id: string,
  now: Temporal.Instant,
): Promise<z.infer<typeof claimsSchema>> {
  const trust = credentials.peer();
  if (trust === null || trust.peerId !== peerId) throw unproved(`this node is not paired with ${peerId}`);
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = kid === undefined ? undefined : trust.tokenKeys.get(kid);
        if (key === undefined) throw unproved('its key is not known');
        return key;
      },
      {
        algorithms: [TOKEN_ALGORITHM],
        typ: DROP_TOKEN_TYPE,
        issuer: peerId,
        audience: nodeId,
        subject: id,
        requiredClaims: REQUIRED_CLAIMS,
        maxTokenAge: `${MAX_AGE_DAYS} days`,
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(now.epochMilliseconds),
      },
    );
    return claimsSchema.parse(payload);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const why =
      error instanceof errors.JOSEError ? messageOf(error) : `it cannot be verified: ${messageOf(error)}`;
    throw unproved(why, error);
  }
}

function unfit(why: string): AppError {
  return new AppError('drop.unfit', `no file can hand this job over: ${why}`);
}

function unproved(why: string, cause?: unknown): AppError {
  return new AppError('drop.unproved', `not proved to be the peer’s: ${why}`, { cause });
}
