import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { type Context, Hono } from 'hono';
import type { Opening } from '../audit/link-openings.ts';
import { dispositionOf } from '../bucket/disposition.ts';
import type { AskedLink, OpenedLink, OpenLink } from '../links/open-link.ts';
import type { OpenPage } from '../links/open-page.ts';
import { codeOf, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Disposition } from '../recordings/source.ts';
import { linkProblemPage } from '../replies/link-problem.ts';
import type { LinkProblem } from '../replies/views.ts';
import type { Readiness } from './health.ts';
import { openFile, sendFile } from './public-file.ts';

export interface PublicAppOptions {
  readonly openLink: OpenLink;
  readonly openPage: OpenPage;
  /** `<STATE_DIR>/web`; nothing outside it is ever read. */
  readonly root: string;
  readonly log: Log;
  /** For `/readyz`: whether the node works, and a sentence. Left out: always ready. */
  readonly ready?: () => Promise<Readiness> | Readiness;
  /** Told before the first byte of what a link opens goes out, or where it leads to. */
  readonly opened?: (opening: Opening) => Promise<void>;
}

/** A bucket that does not say within this time what there is answers nobody. */
const LOOK_MS = 20_000;
/** When to come again to what cannot be opened now. */
const RETRY_AFTER_SECONDS = 120;

/** On every answer: nothing here is cached, framed, sniffed, scripted, or told to other sites. */
const HEADERS = {
  'Cache-Control': 'private, no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex, nofollow',
} as const;
const POLICY = 'Content-Security-Policy';
const POLICY_OF_ALL = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'";
const POLICY_END = "; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/**
 * The public side of a node: `GET` and `HEAD` of `/d/<node>/<job>/<name>` under a link of ours, and its health.
 * No path lists anything; a link that is altered, expired, revoked or unknown gets a page that says what to do.
 */
export function createPublicApp(options: PublicAppOptions): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    const { headers } = context.res;
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    if (!headers.has(POLICY)) headers.set(POLICY, POLICY_OF_ALL + POLICY_END);
  });
  app.get('/healthz', (context) => context.text('ok'));
  app.get('/readyz', async (context) => {
    const { ready, sentence } = (await options.ready?.()) ?? { ready: true, sentence: 'ok' };
    return context.text(sentence, ready ? 200 : 503);
  });
  app.get('/d/:node/:job/:name', async (context) => {
    const { node, job, name } = context.req.param();
    const expiry = context.req.query('e') ?? '';
    const mac = context.req.query('s') ?? '';
    const asked: AskedLink = { node, job, name, expiry, mac };
    const signal = AbortSignal.any([context.req.raw.signal, AbortSignal.timeout(LOOK_MS)]);
    return answer(options, context, asked, await options.openLink(asked, signal));
  });
  app.notFound((context) => show(context, 'missing'));
  app.onError((error, context) => {
    // Who went away while a bucket was asked is no failure of ours.
    const level = context.req.raw.signal.aborted ? 'debug' : 'error';
    options.log[level]('a public request failed', { code: codeOf(error), message: messageOf(error) });
    return show(context, 'failed');
  });
  return app;
}

function show(context: Context, problem: LinkProblem): Response {
  const { status, html } = linkProblemPage(problem);
  if (status === 503) context.header('Retry-After', String(RETRY_AFTER_SECONDS));
  return context.html(html, status);
}

async function answer(
  options: PublicAppOptions,
  context: Context,
  asked: AskedLink,
  link: OpenedLink,
): Promise<Response> {
  if (link.kind === 'problem') return show(context, link.problem);
  if (link.kind === 'page') return answerPage(options, context, asked, link.part);
  if (link.kind === 'file') return answerFile(options, context, asked, link.disposition);
  await tell(options, context, asked);
  return leadTo(context, link);
}

async function answerPage(
  options: PublicAppOptions,
  context: Context,
  asked: AskedLink,
  part: number,
): Promise<Response> {
  const page = await options.openPage(asked.job, part);
  if (page === null) return show(context, 'missing');
  await tell(options, context, asked);
  const origins = page.mediaOrigins.map((origin) => ` ${origin}`).join('');
  context.header(POLICY, POLICY_OF_ALL + origins + POLICY_END);
  return context.html(page.html);
}

async function answerFile(
  options: PublicAppOptions,
  context: Context,
  asked: AskedLink,
  disposition: Disposition,
): Promise<Response> {
  const { node, job, name } = asked;
  // The parts of the path are as we would have made them, or the link would not be valid.
  const file = await openFile(join(options.root, node, job, name));
  if (file === null) return show(context, 'missing');
  try {
    await tell(options, context, asked);
    return await sendFile(context, file, name, disposition);
  } catch (error) {
    await file.file.close();
    throw error;
  }
}

/** A presigned link is for GET alone: who asks for the headers is told them here. */
function leadTo(
  context: Context,
  { url, as, sizeBytes }: Extract<OpenedLink, { kind: 'elsewhere' }>,
): Response {
  if (context.req.method !== 'HEAD') return context.redirect(url, 302);
  context.header('Content-Type', as.contentType);
  context.header('Content-Disposition', dispositionOf(as));
  context.header('Content-Length', String(sizeBytes));
  return context.body(null, 200);
}

/** That a link was opened; who asks for its headers alone has not opened it. */
async function tell({ opened }: PublicAppOptions, context: Context, { job, name }: AskedLink): Promise<void> {
  if (context.req.method !== 'HEAD') await opened?.({ job, name, ...clientOf(context) });
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
