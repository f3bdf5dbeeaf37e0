import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { openDeliveryDatabase, setDatabaseAside, storeError } from './delivery-database.ts';
import { type DeliveryRows, prepareRows } from './delivery-rows.ts';

/** The database of deliveries, opened. */
export interface Records {
  /**
   * Does something with the rows. Where that shows that the file is damaged, it is set aside and a new one opened, and
   * the call fails. @throws AppError `delivery.broken-store`, `delivery.unavailable` (both retriable); what `work` throws
   */
  readonly use: <T>(work: (rows: DeliveryRows) => T) => T;
  readonly warnings: () => readonly string[];
  readonly close: () => void;
}

/** Opens the database; a damaged one is set aside, and a new one opened. @throws as {@link openDeliveryDatabase} */
export function openRecords(path: string, log: Log): Records {
  let setAside: string | null = null;

  const open = () => {
    const database = openDeliveryDatabase(path);
    try {
      return { database, rows: prepareRows(database) };
    } catch (error) {
      database.close();
      throw storeError(error, path);
    }
  };
  const moveAside = (error: unknown): void => {
    setAside = setDatabaseAside(path);
    log.error('the records of deliveries are damaged: set aside, and begun anew', {
      ...{ file: setAside, reason: messageOf(error) },
    });
  };
  const isDamage = (error: unknown): error is AppError =>
    error instanceof AppError && error.code === 'delivery.broken-store';

  let opened: ReturnType<typeof open>;
  try {
    opened = open();
  } catch (error) {
    if (!isDamage(error)) throw error;
    moveAside(error);
    opened = open();
  }
  /** Why it is not in use, and whether it was moved already; null where it is in use. */
  let broken: { readonly error: AppError; isAside: boolean } | null = null;
  const beginAnew = (): void => {
    if (broken === null) return;
    if (opened.database.isOpen) opened.database.close();
    try {
      if (!broken.isAside) moveAside(broken.error);
      broken.isAside = true;
      opened = open();
      broken = null;
    } catch (error) {
      log.error('no new records of deliveries could be begun yet', { reason: messageOf(error) });
    }
  };
  return {
    use: (work) => {
      if (broken !== null) {
        const { error } = broken;
        beginAnew();
        throw error;
      }
      try {
        return work(opened.rows);
      } catch (error) {
        const ours = storeError(error, path);
        if (isDamage(ours)) {
          broken = { error: ours, isAside: false };
          beginAnew();
        }
        throw ours;
      }
    },
    warnings: () => {
      if (setAside === null) return [];
      const meaning =
        'links mailed before that open nothing, and what they opened is removed when it is safe';
      return [`the records of what was delivered were damaged and lie in ${setAside}: ${meaning}`];
    },
    close: () => {
      if (opened.database.isOpen) opened.database.close();
    },
  };
}
