import { once } from 'node:events';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Opening } from '../../../node/audit/link-openings.ts';
import type { DeliveredItem } from '../../../node/delivery/manifest.ts';
import { signLink } from '../../../node/links/signed-link.ts';
import { listenPublic } from '../../../node/listeners/listen-public.ts';
import { createPublicApp } from '../../../node/listeners/public.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { wav } from '../../support/audio.ts';
import { completeDelivery, DELIVERED_JOB as JOB, deliveredItem } from '../../support/delivered.ts';
import { eventually } from '../../support/process.ts';
import { LINK_KEY as KEY, linkWorld } from '../links/link-world.ts';

const AUDIO = wav(1000);
const ZIP = completeDelivery([], '').zips[0]!.fileName;
const NAMED = ['a.wav', 'longa.wav', 'link.wav', 'pasta.wav'].map((fileName, n) =>
  deliveredItem(n, { fileName }),
);

/** The public side of a node over one delivery; of its recordings only `a.wav` and the ZIP lie there at first. */
async function setup({ kind = 'web', items = NAMED }: { kind?: 'web' | 's3'; items?: DeliveredItem[] } = {}) {
  const world = await linkWorld({ kind, items });
  const { clock, folder, webRoot, openLink, openPage, publisher } = world;
  let ready = true;
  const openings: Opening[] = [];
  const app = createPublicApp({
    ...{ openLink, openPage, root: webRoot, log: silentLog },
    ready: () => ({ ready, sentence: ready ? 'ready' : 'the mailbox is not connected' }),
    opened: async (opening) => void openings.push(opening),
  });
  const link = (
    name = 'a.wav',
    disposition: 'inline' | 'attachment' = 'inline',
    job = JOB,
    node = 'audio',
  ): string => signLink(KEY, { node, job, name, disposition }, clock.now().add({ hours: 1 }));
  return {
    ...{ app, openings, clock, folder, link, publisher, root: webRoot, deliveries: world.deliveries },
    setReady: (value: boolean) => {
      ready = value;
    },
    get: (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      app.request(path, { method, headers }),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

describe('a link to a recording', () => {
  test('is told of when it opens, with who asked; not when it does not, or only its headers are asked for', async () => {
    await using made = await setup();
    const headers = { 'user-agent': 'a player', 'x-forwarded-for': '203.0.113.9' };
    await (await made.get(made.link(), headers)).arrayBuffer();
    const whole = {
      job: JOB,
      name: 'a.wav',
      client: 'unknown',
      forwardedFor: '203.0.113.9',
      agent: 'a player',
    };
    expect(made.openings).toEqual([whole]);
    await made.get(made.link(), headers, 'HEAD');
    await made.get(`${made.link()}x`, headers);
    await made.get(made.link('missing.wav'), headers);
    expect(made.openings).toHaveLength(1);
  });

  test('plays: its audio type, inline, its length, and nothing kept or sniffed', async () => {
    await using made = await setup();
    const answer = await made.get(made.link());
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'audio/wav',
      'content-disposition': 'inline; filename="a.wav"',
      'content-length': '1000',
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    });
    expect(Buffer.from(await answer.arrayBuffer()).equals(AUDIO)).toBe(true);
  });

  test('to the ZIP saves it', async () => {
    await using made = await setup();
    const answer = await made.get(made.link(ZIP, 'attachment'));
    expect(answer.headers.get('content-type')).toBe('application/zip');
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${ZIP}"`);
  });

  test('answers HEAD with the same headers and no body', async () => {
    await using made = await setup();
    const answer = await made.get(made.link(), { range: 'bytes=0-1' }, 'HEAD');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-length')).toBe('1000');
    expect(await answer.text()).toBe('');
  });

  test('gives the part that is asked for', async () => {
    await using made = await setup();
    const answer = await made.get(made.link(), { range: 'bytes=10-19' });
    expect(answer.status).toBe(206);
    expect(answer.headers.get('content-range')).toBe('bytes 10-19/1000');
    expect(answer.headers.get('content-length')).toBe('10');
    expect(Buffer.from(await answer.arrayBuffer()).equals(AUDIO.subarray(10, 20))).toBe(true);
  });

  test('says what there is where a part beyond the end is asked for', async () => {
    await using made = await setup();
    const answer = await made.get(made.link(), { range: 'bytes=1000-' });
    expect(answer.status).toBe(416);
    expect(answer.headers.get('content-range')).toBe('bytes */1000');
  });

  test('gives all of it for several parts, and where the file is another than the client knows', async () => {
    await using made = await setup();
    expect((await made.get(made.link(), { range: 'bytes=0-1,4-5' })).status).toBe(200);
    const etag = (await made.get(made.link())).headers.get('etag') ?? '';
    expect((await made.get(made.link(), { range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await made.get(made.link(), { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
  });

  test('that has expired is gone, and the page says what to do', async () => {
    await using made = await setup();
    const link = made.link();
    made.clock.advance({ hours: 1 });
    const answer = await made.get(link);
    expect(answer.status).toBe(410);
    expect(answer.headers.get('content-type')).toContain('text/html');
    expect(await answer.text()).toContain('Este link expirou');
  });

  test('that is altered is refused, expired or not, with nothing of it in the page', async () => {
    await using made = await setup();
    const altered = [
      made.link().replace('a.wav', ZIP),
      made.link().replace(/e=\d+/, 'e=9999999999'),
      `${made.link().slice(0, -3)}AAA`,
      made.link().split('?')[0] ?? '',
      made.link('a.wav', 'inline', JOB, 'audio2'),
      `/d/audio/${JOB}/%3Cscript%3E`,
    ];
    for (const path of altered) {
      const answer = await made.get(path);
      expect([path, answer.status]).toEqual([path, 403]);
      expect(await answer.text()).not.toMatch(/script|a\.wav|abab/);
    }
  });

  test('to what was never there, or is no file, finds nothing', async () => {
    await using made = await setup();
    await writeFile(join(made.root, 'segredo'), 'segredo');
    await rm(join(made.folder, 'link.wav'));
    await symlink(join(made.root, 'segredo'), join(made.folder, 'link.wav'));
    await rm(join(made.folder, 'pasta.wav'));
    await mkdir(join(made.folder, 'pasta.wav'));
    for (const name of ['b.wav', 'link.wav', 'pasta.wav']) {
      const answer = await made.get(made.link(name));
      expect([name, answer.status]).toEqual([name, 404]);
      expect(await answer.text()).toContain('<html lang="pt-BR"');
    }
  });

  test.each(['..', '../segredo', '.tmp-a.wav', 'a/b', '', 'a\u0000b'])(
    'to %j opens nothing though it is signed',
    async (name) => {
      await using made = await setup();
      const path = made.link('a.wav').replace('a.wav', encodeURIComponent(name));
      expect([403, 404]).toContain((await made.get(path)).status);
      const signed = signLink(
        KEY,
        { node: 'audio', job: JOB, name, disposition: 'inline' },
        made.clock.now().add({ hours: 1 }),
      );
      expect([403, 404]).toContain(
        (await made.get(signed.replace(`/${name}?`, `/${encodeURIComponent(name)}?`))).status,
      );
    },
  );
});

describe('the public listener', () => {
  test.each([
    '/',
    '/d',
    '/d/',
    '/d/audio',
    `/d/audio/${JOB}`,
    `/d/audio/${JOB}/`,
    '/d/audio/../../etc/passwd',
    '/robots.txt',
  ])('lists nothing at %s', async (path) => {
    await using made = await setup();
    const answer = await made.get(path);
    expect(answer.status).toBeGreaterThanOrEqual(403);
    expect(await answer.text()).not.toContain('a.wav');
  });

  test('knows no other methods', async () => {
    await using made = await setup();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect((await made.get(made.link(), {}, method)).status).toBe(404);
  });

  test('tells that it lives, and whether the node is ready', async () => {
    await using made = await setup();
    expect(await (await made.get('/healthz')).text()).toBe('ok');
    expect((await made.get('/readyz')).status).toBe(200);
    made.setReady(false);
    const answer = await made.get('/readyz');
    expect([answer.status, await answer.text()]).toEqual([503, 'the mailbox is not connected']);
  });

  test('serves over a socket, and gives the file back when the client goes away in the middle', async () => {
    await using made = await setup();
    await writeFile(join(made.folder, 'longa.wav'), Buffer.alloc(40 * 1024 * 1024));
    const listener = await listenPublic(made.app, { host: '127.0.0.1', port: 0 });
    const url = `http://127.0.0.1:${listener.port}`;
    const whole = await fetch(url + made.link());
    expect(whole.headers.get('content-length')).toBe('1000');
    expect(Buffer.from(await whole.arrayBuffer()).equals(AUDIO)).toBe(true);
    expect(made.openings[0]?.client).toBe('127.0.0.1');
    const head = await fetch(url + made.link(), { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('1000');

    const openFiles = async (): Promise<number> => {
      const links = await readdir('/proc/self/fd');
      return links.length;
    };
    const before = await openFiles();
    for (let round = 0; round < 5; round += 1) {
      const asking = request(url + made.link('longa.wav'));
      asking.on('error', () => undefined);
      asking.end();
      const [answer] = (await once(asking, 'response')) as [NodeJS.ReadableStream];
      await once(answer, 'data');
      asking.destroy();
    }
    await eventually('the files to be closed', async () => (await openFiles()) <= before);
    await listener.close();
  });

  test('cuts a download that does not end when it is closed', async () => {
    await using made = await setup();
    await writeFile(join(made.folder, 'longa.wav'), Buffer.alloc(40 * 1024 * 1024));
    const listener = await listenPublic(made.app, { host: '127.0.0.1', port: 0 });
    const socket = connect(listener.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`GET ${made.link('longa.wav')} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'readable');
    const gone = once(socket.resume(), 'close');
    socket.pause();
    await listener.close();
    socket.resume();
    await gone;
  });

  test('says when its address is taken, or is not one of this host', async () => {
    await using made = await setup();
    const listener = await listenPublic(made.app, { host: '127.0.0.1', port: 0 });
    for (const host of ['127.0.0.1', '203.0.113.1']) {
      const listening = listenPublic(made.app, { host, port: listener.port });
      await expect(listening).rejects.toMatchObject({ code: 'listen.failed' });
    }
    await listener.close();
  });
});

describe('a link that was revoked', () => {
  test('is gone, and its page says so; it is not told of as opened', async () => {
    await using made = await setup();
    await made.deliveries.revoke(JOB, new AbortController().signal);
    for (const name of ['a.wav', ZIP, 'gravacoes.html']) {
      const answer = await made.get(made.link(name));
      expect([name, answer.status, await answer.text()]).toEqual([
        name,
        410,
        expect.stringMatching(/cancelado/),
      ]);
    }
    expect(made.openings).toEqual([]);
  });
});

describe('the page of a result', () => {
  test('is HTML that runs nothing and loads nothing but its recordings, and is told of as opened', async () => {
    await using made = await setup();
    const answer = await made.get(made.link('gravacoes.html'));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self';/,
    );
    expect(policy).toMatch(/form-action 'none'; frame-ancestors 'none'; base-uri 'none'$/);
    expect(await answer.text()).not.toMatch(/<script|<link[^>]+href="http|@import|src="http/);
    expect(made.openings.map(({ name }) => name)).toEqual(['gravacoes.html']);
    expect((await made.get(made.link('gravacoes-2.html'))).status).toBe(404);
  });

  test('may play from the bucket that its players are led to', async () => {
    await using made = await setup({ kind: 's3' });
    const answer = await made.get(made.link('gravacoes.html'));
    expect(answer.headers.get('content-security-policy')).toContain(
      "media-src 'self' http://published.example.test;",
    );
  });
});

describe('a link to what lies in a bucket', () => {
  test('leads there, and is not kept; told of as opened with who asked', async () => {
    await using made = await setup({ kind: 's3' });
    const answer = await made.get(made.link(), { 'user-agent': 'a player' });
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([302, 'private, no-store']);
    expect(made.publisher.open(answer.headers.get('location') ?? '').status).toBe(200);
    expect(made.openings).toMatchObject([{ name: 'a.wav', agent: 'a player' }]);
  });

  test('answers HEAD by itself, since a presigned link is for GET alone, and counts it for nothing', async () => {
    await using made = await setup({ kind: 's3' });
    const answer = await made.get(made.link('a.wav', 'attachment'), {}, 'HEAD');
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'audio/wav',
      'content-disposition': 'attachment; filename="a.wav"',
      'content-length': '1000',
    });
    expect(made.openings).toEqual([]);
  });

  test('asks to come again where the bucket cannot be asked, or nothing signs', async () => {
    await using made = await setup({ kind: 's3' });
    made.publisher.size = async () => {
      throw new AppError('publish.unavailable', 'secret details', { retriable: true });
    };
    const answer = await made.get(made.link());
    expect([answer.status, Number(answer.headers.get('retry-after')) > 0]).toEqual([503, true]);
    expect(await answer.text()).not.toContain('secret');
    expect(made.openings).toEqual([]);
  });

  test('asks to come again to a page of which nothing signs what its players are led to', async () => {
    await using made = await setup({ kind: 's3' });
    made.publisher.presign!.link = async () => {
      throw new AppError('publish.unavailable', 'no credentials', { retriable: true });
    };
    const answer = await made.get(made.link('gravacoes.html'));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '120']);
  });

  test('finds nothing where the object is gone', async () => {
    await using made = await setup({ kind: 's3' });
    made.publisher.objects.clear();
    expect((await made.get(made.link())).status).toBe(404);
  });
});

test('who opens every link beforehand, again and again, changes nothing for the reader', async () => {
  await using made = await setup();
  const links = [made.link(), made.link(ZIP, 'attachment'), made.link('gravacoes.html')];
  const statuses: number[] = [];
  for (const link of [...links, ...links, ...links]) {
    for (const method of ['HEAD', 'GET']) {
      const answer = await made.get(link, { 'user-agent': 'a scanner' }, method);
      statuses.push(answer.status);
      await answer.arrayBuffer();
    }
  }
  expect(new Set(statuses)).toEqual(new Set([200]));
});
