import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Context, Hono } from 'hono';
import type { Opening } from '../audit/link-openings.ts';
import { contentTypeOf } from '../delivery/content-type.ts';
import { type Disposition, verifyLink } from '../delivery/signed-link.ts';
import type { Clock } from '../platform/clock.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Readiness } from './health.ts';
import { type PageName, page } from './public-pages.ts';
import { parseRange } from './range.ts';

export interface PublicAppOptions {
  readonly linkKey: Buffer;
  /** `<STATE_DIR>/web`; nothing outside it is ever read. */
  readonly root: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** For `/readyz`: whether the node works, and a sentence. Left out: always ready. */
  readonly ready?: () => Promise<Readiness> | Readiness;
  /** Told before the first byte of a file goes out. */
  readonly opened?: (opening: Opening) => Promise<void>;
}

/** On every answer: nothing here is cached, framed, sniffed, scripted, or told to other sites. */
const HEADERS = {
  'Cache-Control': 'private, no-store',
  'Content-Security-Policy':
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex, nofollow',
} as const;

/**
 * The public side of a node: `GET` and `HEAD` of `/d/<node>/<job>/<name>` under a link of ours, and its health.
 * No path lists anything; a link that is altered, expired or unknown gets a small page that says what to do.
 */
export function createPublicApp(options: PublicAppOptions): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
  });
  app.get('/healthz', (context) => context.text('ok'));
  app.get('/readyz', async (context) => {
    const { ready, sentence } = (await options.ready?.()) ?? { ready: true, sentence: 'ok' };
    return context.text(sentence, ready ? 200 : 503);
  });
  app.get('/d/:node/:job/:name', (context) => {
    const { node, job, name } = context.req.param();
    return serve(options, context, node, job, name);
  });
  app.notFound((context) => show(context, 'missing'));
  app.onError((error, context) => {
    options.log.error('a public request failed', { code: codeOf(error), message: messageOf(error) });
    return show(context, 'failed');
  });
  return app;
}

function show(context: Context, name: PageName): Response {
  const { status, html } = page(name);
  return context.html(html, status);
}

async function serve(
  options: PublicAppOptions,
  context: Context,
  node: string,
  job: string,
  name: string,
): Promise<Response> {
  const { linkKey, nodeId, root, clock } = options;
  const expiry = context.req.query('e') ?? '';
  const verdict = verifyLink(linkKey, { node, job, name }, expiry, context.req.query('s') ?? '', clock.now());
  if (verdict.kind === 'invalid' || node !== nodeId) return show(context, 'invalid');
  if (verdict.kind === 'expired') return show(context, 'expired');
  // The parts of the path are as we would have made them, or the link would not be valid.
  const file = await openFile(join(root, node, job, name));
  if (file === null) return show(context, 'missing');
  try {
    const status = await file.stat();
    if (!status.isFile()) {
      await file.close();
      return show(context, 'missing');
    }
    if (context.req.method === 'GET') await options.opened?.({ job, name, ...clientOf(context) });
    return await answer(context, file, status, name, verdict.disposition);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Who asks, as far as that can be known. */
function clientOf(context: Context): Omit<Opening, 'job' | 'name'> {
  // Of the adapter to Node's HTTP server; a request that a test makes has none.
  const { incoming } = (context.env ?? {}) as { incoming?: IncomingMessage };
  return {
    client: incoming?.socket.remoteAddress ?? 'unknown',
    forwardedFor: context.req.header('x-forwarded-for') ?? null,
    agent: context.req.header('user-agent') ?? null,
  };
}

async function openFile(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(codeOf(error))) return null;
    throw error;
  }
}

/** Answers with the file, or a part of it; the file is closed when it has been sent or the client is gone. */
async function answer(
  context: Context,
  file: FileHandle,
  status: Stats,
  name: string,
  disposition: Disposition,
): Promise<Response> {
  const { size } = status;
  const etag = `"${size.toString(16)}-${Math.floor(status.mtimeMs).toString(16)}"`;
  const isHead = context.req.method === 'HEAD';
  // Range is defined for GET alone; with If-Range only while the file is the one the client knows.
  const condition = context.req.header('if-range');
  const asked =
    isHead || (condition !== undefined && condition !== etag) ? undefined : context.req.header('range');
  const range = parseRange(asked, size);

  context.header('Content-Type', contentTypeOf(name));
  context.header('Content-Disposition', `${disposition}; filename="${name}"`);
  context.header('Accept-Ranges', 'bytes');
  context.header('ETag', etag);
  context.header('Last-Modified', status.mtime.toUTCString());
  if (range === 'unsatisfiable') {
    await file.close();
    context.header('Content-Range', `bytes */${size}`);
    return context.body(null, 416);
  }
  const { first, last } = range === 'whole' ? { first: 0, last: size - 1 } : range;
  context.header('Content-Length', String(last - first + 1));
  if (range !== 'whole') context.header('Content-Range', `bytes ${first}-${last}/${size}`);
  if (isHead || size === 0) {
    await file.close();
    return context.body(null, 200);
  }
  const stream = file.createReadStream({ start: first, end: last });
  return context.body(Readable.toWeb(stream) as ReadableStream, range === 'whole' ? 200 : 206);
}
