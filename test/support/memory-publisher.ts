import type { PublishedObject, Publisher } from '../../node/delivery/publisher.ts';
import { checkJobId, parseKey } from '../../node/delivery/object-key.ts';
import type { Clock } from '../../node/platform/clock.ts';

/** Published objects in memory, held to the same contract as the real publishers. */
export interface MemoryPublisher extends Publisher {
  readonly objects: Map<
    string,
    { readonly object: PublishedObject; readonly content: Buffer; readonly writtenAt: Temporal.Instant }
  >;
  /** Thrown by `put` for keys it gives an error for, before anything is read. */
  failPut: ((key: string) => Error | null) | null;
  /** What `linksUntil` answers: as long as wanted, unless a test says otherwise. */
  endOfLinks: (wanted: Temporal.Instant) => Temporal.Instant | null;
  /** What a link opens now, or the HTTP status that says why not. */
  open(url: string): {
    readonly status: number;
    readonly object?: PublishedObject;
    readonly content?: Buffer;
  };
}

export interface MemoryPublisherOptions {
  /** `s3` (where nothing is said): it makes links by itself. `web`: it makes none. */
  readonly kind?: 'web' | 's3';
}

/** Jobs in a page of a listing: few, so that tests have several. */
const PAGE_JOBS = 3;

export function createMemoryPublisher(
  clock: Clock,
  { kind = 's3' }: MemoryPublisherOptions = {},
): MemoryPublisher {
  const objects: MemoryPublisher['objects'] = new Map();
  const keysOf = (job: string): string[] => [...objects.keys()].filter((key) => key.startsWith(`${job}/`));
  const publisher: MemoryPublisher = {
    name: kind,
    place: 'memory',
    objects,
    failPut: null,
    endOfLinks: (wanted) => wanted,
    put: async (object, body, signal) => {
      try {
        parseKey(object.key);
        signal.throwIfAborted();
        const failure = publisher.failPut?.(object.key) ?? null;
        if (failure !== null) throw failure;
        const stop = (): void => {
          body.destroy(signal.reason as Error);
        };
        signal.addEventListener('abort', stop, { once: true });
        const chunks: Buffer[] = [];
        for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
        signal.removeEventListener('abort', stop);
        const content = Buffer.concat(chunks);
        objects.set(object.key, { object, content, writtenAt: clock.now() });
        return content.length;
      } finally {
        body.destroy();
      }
    },
    size: async (key) => objects.get(key)?.content.length ?? null,
    presign:
      kind === 'web'
        ? null
        : {
            link: async (object, expiresAt) => {
              const query = new URLSearchParams({ e: expiresAt.toString(), d: object.disposition });
              return `http://published.example.test/${object.key}?${query.toString()}`;
            },
            linksUntil: async (wanted) => publisher.endOfLinks(wanted),
          },
    removeJob: async (jobId) => {
      for (const key of keysOf(checkJobId(jobId))) objects.delete(key);
    },
    jobs: async function* jobs() {
      const all = [...new Set([...objects.keys()].map((key) => parseKey(key).job))];
      for (let first = 0; first < all.length; first += PAGE_JOBS) yield all.slice(first, first + PAGE_JOBS);
    },
    newestOf: async (jobId) => {
      const times = keysOf(checkJobId(jobId)).flatMap((key) => objects.get(key)?.writtenAt ?? []);
      return times.toSorted(Temporal.Instant.compare).at(-1) ?? null;
    },
    open: (url) => {
      const { pathname, searchParams } = new URL(url);
      const found = objects.get(pathname.slice(1));
      const expiry = Temporal.Instant.from(searchParams.get('e') ?? '');
      if (Temporal.Instant.compare(clock.now(), expiry) >= 0) return { status: 410 };
      return found === undefined ? { status: 404 } : { status: 200, ...found };
    },
  };
  return publisher;
}
