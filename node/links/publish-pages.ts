import { Readable } from 'node:stream';
import type { Delivery, DeliveryAbout } from '../delivery/manifest.ts';
import { PAGE_RECORDINGS, pageParts } from '../delivery/page-name.ts';
import { pageObject } from '../delivery/published-object.ts';
import type { Publisher } from '../delivery/publisher.ts';
import { resultPage } from '../replies/result-page.ts';
import { deliveredOf } from './delivered.ts';
import type { Linked, Links } from './links.ts';
import { summarize, viewOfPart } from './page-view.ts';

/**
 * Puts the page of a delivery, all its parts, beside what was delivered: where the bucket answers the links, no node
 * makes it when it is opened. Done again, it replaces what is there. @throws what `Publisher.put` and `Links` throw
 */
export async function publishPages(
  links: Links,
  linked: Linked,
  delivery: Delivery,
  about: DeliveryAbout,
  publisher: Pick<Publisher, 'put'>,
  signal: AbortSignal,
): Promise<void> {
  const whole = summarize(delivery);
  const delivered = deliveredOf(delivery.items);
  for (let part = 1; part <= pageParts(delivered.length); part += 1) {
    signal.throwIfAborted();
    const first = (part - 1) * PAGE_RECORDINGS;
    const items = delivered.slice(first, first + PAGE_RECORDINGS);
    const html = Buffer.from(resultPage(await viewOfPart(links, linked, { about, whole, items, part })));
    await publisher.put(pageObject(delivery.job, part), Readable.from([html]), signal, html.length);
  }
}
