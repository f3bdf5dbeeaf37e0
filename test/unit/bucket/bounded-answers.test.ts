import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { makeClient } from '../../../node/bucket/client.ts';
import { loadS3Sdk } from '../../../node/bucket/sdk.ts';

const sdk = await loadS3Sdk();
const MEGABYTE = Buffer.alloc(1024 * 1024, 'x');
const LIMIT_MEGABYTES = 16;

/** A server that answers all alike with `megabytes`; tells how many of them it gave. */
async function serverOf(status: number, megabytes: number) {
  const sent = { megabytes: 0 };
  function* body(): Generator<Buffer> {
    for (; sent.megabytes < megabytes; sent.megabytes += 1) yield MEGABYTE;
  }
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/xml' });
    // The client hangs up: that is what is tested.
    pipeline(Readable.from(body()), response, () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = makeClient(sdk, {
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
    maxAttempts: 1,
  });
  const dispose = (): void => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  };
  return { client, sent, [Symbol.dispose]: dispose };
}

describe('an answer without end', () => {
  test.each([200, 403])('with status %i is given up, not kept', async (status) => {
    using made = await serverOf(status, 200);
    const listing = made.client.send(new sdk.ListObjectsV2Command({ Bucket: 'bucket' }));
    await expect(listing).rejects.toThrow(/more than 16777216 bytes/);
    expect(made.sent.megabytes).toBeLessThan(60);
  });

  test('is what an object may be: that is a stream', async () => {
    using made = await serverOf(200, LIMIT_MEGABYTES + 4);
    const { Body } = await made.client.send(new sdk.GetObjectCommand({ Bucket: 'bucket', Key: 'a.zip' }));
    expect((await Body!.transformToByteArray()).length).toBe((LIMIT_MEGABYTES + 4) * MEGABYTE.length);
  });
});
