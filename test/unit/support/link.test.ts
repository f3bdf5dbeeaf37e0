import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { type Link, startLink } from '../../support/link.ts';
import { eventually } from '../../support/process.ts';

/** A server that says `hello` first and then repeats each line in capitals, behind a link. */
async function setup() {
  const stack = new AsyncDisposableStack();
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      heard.push(chunk.toString());
      if (heard.at(-1) === 'hello?') socket.write('hello');
      else socket.write(chunk.toString().toUpperCase());
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  const link = stack.use(await startLink({ target: (server.address() as { port: number }).port }));
  return { link, heard, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Client {
  readonly socket: Socket;
  said(): string;
  ask(text: string, answer: string): Promise<void>;
}

/** Connects and greets, as a handshake does. */
async function client({ port }: Link): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  socket.on('data', (chunk) => (said += chunk.toString()));
  socket.on('error', () => undefined); // told by 'close'
  const ask = async (text: string, answer: string): Promise<void> => {
    socket.write(text);
    await eventually(`the answer ${answer}`, () => said.endsWith(answer), 2_000, 2);
  };
  await ask('hello?', 'hello');
  return { socket, said: () => said, ask };
}

/** Long enough for what must not come. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

describe('a link', () => {
  test('passes', async () => {
    await using it = await setup();
    const { ask, socket } = await client(it.link);
    await ask('a', 'A');
    await ask('b', 'B');
    socket.destroy();
    expect(it.link.connections()).toBe(1);
  });

  test('that is cut resets connections and refuses new ones, until it passes again', async () => {
    await using it = await setup();
    const { socket } = await client(it.link);
    await it.link.set('cut');
    await eventually('the reset', () => socket.closed);
    const refused = connect(it.link.port, '127.0.0.1');
    expect(await once(refused, 'connect').catch((error: { code: string }) => error.code)).toBe(
      'ECONNREFUSED',
    );
    await it.link.set('pass');
    const again = await client(it.link);
    await again.ask('a', 'A');
    again.socket.destroy();
  });

  test('that is a black hole lets nothing through, and what it held goes on when it passes', async () => {
    await using it = await setup();
    const { socket, ask } = await client(it.link);
    await it.link.set('blackhole');
    socket.write('a');
    const late = connect(it.link.port, '127.0.0.1');
    await once(late, 'connect');
    late.write('b');
    await quiet();
    expect(it.heard).toEqual(['hello?']);
    await it.link.set('pass');
    await eventually('both', () => it.heard.length === 3);
    expect(it.heard.toSorted()).toEqual(['a', 'b', 'hello?']);
    await ask('c', 'AC');
    const rest = buffer(late);
    late.end();
    expect((await rest).toString()).toBe('B');
    socket.destroy();
  });

  test('of one way lets questions through and holds answers, also on new connections', async () => {
    await using it = await setup();
    const old = await client(it.link);
    await it.link.set('one-way');
    const young = await client(it.link);
    for (const [index, { socket }] of [old, young].entries()) socket.write(String(index));
    await eventually('both questions', () => it.heard.length === 4);
    await quiet();
    expect([old.said(), young.said()]).toEqual(['hello', 'hello']);
    await it.link.set('pass');
    await eventually('both answers', () => old.said() === 'hello0' && young.said() === 'hello1');
    for (const { socket } of [old, young]) socket.destroy();
  });

  test('can be cut when a chosen chunk comes, which then does not arrive', async () => {
    await using it = await setup();
    const { socket, ask, said } = await client(it.link);
    it.link.watch(({ from, chunk }) => (from === 'server' && chunk === 3 ? 'cut' : null));
    await ask('a', 'A');
    socket.write('b');
    await eventually('the reset', () => socket.closed);
    expect(it.heard).toEqual(['hello?', 'a', 'b']);
    expect(said()).toBe('helloA');
  });
});
