import type { Json } from '../queue/steps.ts';

/** One word on one subject: the one with the highest version counts, of equal ones that of the node that sorts last. */
export type AccessRecord = {
  /** `person:ana@example.com`, `token:3f9a1c02d4e5`. */
  readonly key: string;
  /** Grows with each change on either node. */
  readonly version: number;
  readonly node: string;
  readonly at: string;
  /** Who changed it: an address, or `node-ctl`. */
  readonly by: string;
  /** Null where it was removed. */
  readonly value: Json;
};

/** What both nodes of a pair know of who may ask: people and tokens. */
export interface AccessStore {
  get(key: string): AccessRecord | null;
  /** Those whose key begins so, by key; removed ones too. */
  list(prefix: string): readonly AccessRecord[];
  /** Fsynced when it resolves. @throws AppError `access.unwritable` (retriable), `access.too-many`, `access.invalid` */
  put(key: string, value: Json, by: string): Promise<AccessRecord>;
  /** Takes over what the peer has and is newer; fsynced; gives the records that were new here. */
  merge(records: readonly AccessRecord[]): Promise<readonly AccessRecord[]>;
  /** Told of each record that is new here, whoever made it; after it is on disk. */
  onChange(listener: (record: AccessRecord) => void): void;
}
