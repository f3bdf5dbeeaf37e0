import type { DeliveredItem } from '../delivery/manifest.ts';
import { nameOf } from '../delivery/object-key.ts';
import { pageName } from '../delivery/page-name.ts';
import type { Disposition } from '../recordings/source.ts';
import { presentationOf } from './link-target.ts';
import type { Linked, Links } from './links.ts';
import { signLink } from './signed-link.ts';

/** Names of places that not every link can lead to: the source itself is then asked. */
const PECULIAR_KEY = /(?:^|\/)\./;

export interface NodeLinksOptions {
  readonly nodeId: string;
  /** Signs links: whoever has it can make them. See `loadSecretKey`. */
  readonly linkKey: Buffer;
  /** PUBLIC_URL, with or without a slash at its end; null: links from a page beside what they open, `./name?…`. */
  readonly publicUrl: string | null;
}

/**
 * Links that this node answers: `<PUBLIC_URL>/d/<node>/<job>/<name>?e=…&s=…`. They live until their delivery ends,
 * whatever the credentials of a bucket do, and stop when it is revoked.
 */
export function createNodeLinks({ nodeId, linkKey, publicUrl }: NodeLinksOptions): Links {
  const base = publicUrl?.replace(/\/+$/, '') ?? null;
  const link = ({ job, wanted }: Linked, name: string, disposition: Disposition): string => {
    const path = signLink(linkKey, { node: nodeId, job, name, disposition }, wanted);
    return base === null ? `.${path.slice(path.lastIndexOf('/'))}` : base + path;
  };
  return {
    kind: 'node',
    until: (delivery) => Promise.resolve(delivery.wanted),
    toPlay: async (delivery, item) => {
      if (item.playKey !== null) return link(delivery, nameOf(item.playKey), 'inline');
      return (await canBeOpened(delivery, item)) ? link(delivery, item.fileName, 'inline') : null;
    },
    toSave: async (delivery, item) =>
      (await canBeOpened(delivery, item)) ? link(delivery, item.fileName, 'attachment') : null,
    toZip: (delivery, zip) => Promise.resolve(link(delivery, nameOf(zip.key), 'attachment')),
    toPage: (delivery, part) => Promise.resolve(link(delivery, pageName(part), 'inline')),
  };
}

/** Whether this node, asked for it, will have something to lead to. */
async function canBeOpened({ direct, wanted }: Linked, item: DeliveredItem): Promise<boolean> {
  if (item.key === null) return false;
  if (item.direct !== true) return true;
  if (direct === null) return false;
  if (!PECULIAR_KEY.test(item.recording.key)) return true;
  return (await direct.link(item.recording, presentationOf(item, 'inline'), wanted)) !== null;
}
