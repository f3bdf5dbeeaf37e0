import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { type Album, GROUPS, KINDS } from './kinds.ts';
import type { MailServers } from './mail-servers.ts';
import { readMail, sendRequest } from './person.ts';

/** Where the page is when the port is free, so that `npm run demo -- send` finds it. */
const DEFAULT_PORT = 8025;
export const DEFAULT_PAGE = `http://127.0.0.1:${DEFAULT_PORT}/`;
const MAX_FORM_BYTES = 10_000;
const MAX_SUBJECT_LENGTH = 1000;
/** Mail comes from the node under test; nothing in it may run or load, it may only be looked at. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'";

export interface PageOptions {
  readonly servers: MailServers;
  readonly album: Pick<Album, 'kindOf'>;
  /** A subject to start from. */
  readonly example: string;
  /** How the nodes are; rejects where one does not answer. */
  readonly nodes: () => Promise<readonly NodeView[]>;
}

/** A node as the page shows it. */
export interface NodeView {
  readonly id: string;
  readonly role: string;
  readonly term: number;
}

export interface Page extends AsyncDisposable {
  readonly url: string;
}

/** Serves the page that shows all mails of the demo as they were received, and takes subjects to send. */
export async function startPage(options: PageOptions): Promise<Page> {
  const app = await pageApp(options);
  const server = createAdaptorServer({ fetch: app.fetch });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(DEFAULT_PORT).catch(() => listen(0)); // Taken, perhaps by another demo: any free port does.
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await closed;
    },
  };
}

async function pageApp({ servers, album, example, nodes }: PageOptions): Promise<Hono> {
  const html = await readFile(join(import.meta.dirname, 'page.html'), 'utf8');
  const script = await readFile(join(import.meta.dirname, 'page-client.js'), 'utf8');
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    context.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    context.header('X-Content-Type-Options', 'nosniff');
    context.header('Cache-Control', 'no-store');
  });
  app.get('/', (context) => context.html(html));
  app.get('/page-client.js', (context) => context.body(script, 200, { 'Content-Type': 'text/javascript' }));
  app.get('/example', (context) => context.json({ subject: example }));
  app.get('/kinds', (context) => context.json({ groups: GROUPS, kinds: KINDS }));
  app.get('/nodes', async (context) => context.json(await nodes()));
  app.get('/mails', async (context) => {
    const after = Number(context.req.query('after') ?? 0);
    const fresh = servers.mails.filter((mail) => mail.number > after);
    const read = await Promise.all(fresh.map(readMail));
    return context.json(read.map((mail) => ({ ...mail, kind: album.kindOf(mail) })));
  });
  app.get('/mails/:number/raw', (context) => {
    const mail = servers.mails.find(({ number }) => number === Number(context.req.param('number')));
    if (mail === undefined) return context.notFound();
    return context.body(new Uint8Array(mail.raw), 200, { 'Content-Type': 'text/plain; charset=utf-8' });
  });
  app.post('/send', bodyLimit({ maxSize: MAX_FORM_BYTES }), async (context) => {
    // A page of another site can post a form here; a browser then names that site.
    const origin = context.req.header('origin');
    if (origin !== undefined && origin !== new URL(context.req.url).origin) return context.text('no\n', 403);
    const { subject } = await context.req.parseBody();
    if (typeof subject !== 'string' || subject.trim() === '' || subject.length > MAX_SUBJECT_LENGTH) {
      return context.text('subject=... is missing or too long\n', 400);
    }
    await sendRequest(servers, subject.trim());
    return context.text('sent\n', 202);
  });
  return app;
}
