import type { Inbox } from './ports.ts';

/** Turns the inbox on and off, one after another: it is never opened while it is being closed. */
export interface InboxSwitch {
  /** Opens it, as soon as a closing that is under way has ended, unless it is to be closed again by then. */
  open(): void;
  /** Resolves when it is closed. @throws what closing it failed with */
  close(): Promise<void>;
}

export function createInboxSwitch(inbox: Inbox, onError: (error: unknown) => void): InboxSwitch {
  let wanted = false;
  let isOpen = false;
  let last: Promise<void> = Promise.resolve();
  return {
    open: () => {
      wanted = true;
      last = last.then(() => {
        if (!wanted || isOpen) return;
        isOpen = true;
        inbox.open();
      });
    },
    close: () => {
      wanted = false;
      const mine = last.then(async () => {
        if (!isOpen) return;
        await inbox.close();
        isOpen = false;
      });
      last = mine.catch(onError);
      return mine;
    },
  };
}
