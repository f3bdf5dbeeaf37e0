import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { SourceName } from '../../../protocol/job.ts';
import { contentTypeOf } from '../../../node/delivery/content-type.ts';
import type { DeliveredItem, DeliveryAbout } from '../../../node/delivery/manifest.ts';
import { openDeliveries } from '../../../node/delivery/open-deliveries.ts';
import { createNodeLinks } from '../../../node/links/node-links.ts';
import { createLinkOpener } from '../../../node/links/open-link.ts';
import { createPageOpener } from '../../../node/links/open-page.ts';
import { silentLog } from '../../../node/platform/log.ts';
import type { RecordingSource } from '../../../node/recordings/source.ts';
import { wav } from '../../support/audio.ts';
import { aboutDelivery, completeDelivery, DELIVERED_JOB, deliveredItem } from '../../support/delivered.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';
import { temporaryDirectory } from '../../support/process.ts';

export const LINK_KEY = Buffer.alloc(32, 9);
const { signal } = new AbortController();

export interface WorldOptions {
  /** Where results are published: files of this node, or objects in a bucket. */
  readonly kind?: 'web' | 's3';
  readonly items?: readonly DeliveredItem[];
  readonly about?: Partial<DeliveryAbout>;
  readonly sources?: ReadonlyMap<SourceName, RecordingSource>;
}

/** A node's links, the records they are looked up in, and one complete delivery that ends in two hours. */
export async function linkWorld(options: WorldOptions = {}) {
  const { kind = 'web', items = [deliveredItem(1), deliveredItem(2)], sources = new Map() } = options;
  const directory = await temporaryDirectory();
  const clock = fixedClock();
  const publisher = createMemoryPublisher(clock, { kind });
  const webRoot = join(directory.path, 'web');
  const stateDir = directory.path;
  const opening = { stateDir, publisher, webRoot, presignedHours: null, clock, log: silentLog };
  const deliveries = await openDeliveries(opening);
  const expiresAt = clock.now().add({ hours: 2 });
  const delivery = completeDelivery(items, expiresAt.toString());
  await deliveries.begin(DELIVERED_JOB, aboutDelivery(options.about), expiresAt, signal);
  const folder = join(webRoot, 'audio', DELIVERED_JOB);
  await mkdir(folder, { recursive: true });
  const publish = async (key: string, content: Buffer): Promise<void> => {
    const fileName = key.split('/').at(-1) ?? '';
    await writeFile(join(folder, fileName), content);
    const object = { key, fileName, contentType: contentTypeOf(fileName), disposition: 'inline' } as const;
    await publisher.put(object, Readable.from([content]), signal);
  };
  for (const { key, direct, playKey } of items) {
    if (key !== null && direct !== true) await publish(key, wav(1000));
    if (playKey !== null) await publish(playKey, wav(2000));
  }
  for (const { key } of delivery.zips) await publish(key, Buffer.from('zip'));
  await deliveries.save(delivery);

  /** The same node with results published into a bucket from now on. */
  const withBucket = async () => {
    deliveries.close();
    const bucket = { ...createMemoryPublisher(clock, { kind: 's3' }), place: 's3://bucket/audio/' };
    const later = await openDeliveries({ ...opening, publisher: bucket });
    const shared = { deliveries: later, publisher: bucket, sources, clock };
    return {
      openLink: createLinkOpener({ ...signing, ...shared }),
      openPage: createPageOpener({ ...shared, links: beside }),
      close: () => later.close(),
    };
  };
  const signing = { nodeId: 'audio', linkKey: LINK_KEY };
  const links = createNodeLinks({ ...signing, publicUrl: 'https://gravacoes.example.com' });
  const beside = createNodeLinks({ ...signing, publicUrl: null });
  const opener = { ...signing, deliveries, publisher, sources, clock };
  const openLink = createLinkOpener(opener);
  const openPage = createPageOpener({ deliveries, publisher, sources, links: beside, clock });
  const linked = { job: DELIVERED_JOB, wanted: expiresAt, direct: sources.get('s3')?.direct ?? null };
  return {
    ...{ clock, publisher, deliveries, delivery, links, linked, expiresAt, openPage, webRoot, folder },
    openLink,
    withBucket,
    /** What a link that was given to somebody opens. */
    open: (url: string | null, by = openLink) => {
      const { pathname, searchParams } = new URL(
        url ?? 'https://none.example.com',
        'https://none.example.com',
      );
      const [, , node = '', job = '', name = ''] = pathname.split('/');
      const signed = { expiry: searchParams.get('e') ?? '', mac: searchParams.get('s') ?? '' };
      return by({ node, job, name, ...signed }, signal);
    },
    [Symbol.asyncDispose]: async () => {
      deliveries.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}
