import { existsSync, opendirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isMissing } from '../platform/durable.ts';
import { canBeYear, type DatePath, type DayRange, enter } from './day-folders.ts';
import {
  isCandidate,
  isYearFolder,
  leadsToFolder,
  MAX_DEPTH,
  MAX_LINKS,
  mayLeadToFolder,
} from './folder-entries.ts';

/** After so many names the event loop gets its turn: about 2 ms of work. */
const NAMES_PER_TURN = 4096;
/** Opening a directory costs about as much as reading this many names. */
const NAMES_PER_OPENING = 64;

/** A name in the tree that may be wanted. */
export interface Found {
  /** Path below the root, with `/`. */
  readonly key: string;
  readonly name: string;
  /** Whether a directory on the way down is called as the server asked for. */
  readonly underServer: boolean;
}

export interface WalkResult {
  readonly found: readonly Found[];
  readonly sawServer: boolean;
  /** Directories, below the root, that could not be read. */
  readonly unreadable: readonly string[];
  /** Names looked at. */
  readonly names: number;
  /** Symlinked directories, which were not entered; of a great many links not all are counted. */
  readonly linkedFolders: number;
}

interface Folder {
  readonly key: string;
  readonly depth: number;
  readonly date: DatePath;
  readonly underServer: boolean;
}

export interface WalkOptions {
  readonly root: string;
  readonly range: DayRange;
  readonly server: string | null;
  /** A quick look at a file's name (and whether it lies under the server's directory); what it lets through is found. */
  readonly wanted: (name: string, underServer: boolean) => boolean;
  readonly signal: AbortSignal;
}

/**
 * Walks the tree, skipping the directories of days out of range. Symlinked directories are not entered.
 * Reads synchronously, in turns: half the time of asynchronous reads on a million names, and the event loop
 * waits about 2 ms a turn. Throws the system's error where the root itself cannot be read.
 */
export async function walk(options: WalkOptions): Promise<WalkResult> {
  const state: WalkState = {
    found: [],
    unreadable: [],
    folders: [],
    names: 0,
    linkedFolders: 0,
    links: 0,
    sawServer: false,
    budget: NAMES_PER_TURN,
  };
  state.folders.push({ key: '', depth: 0, date: '', underServer: false });
  for (let folder = state.folders.pop(); folder !== undefined; folder = state.folders.pop()) {
    try {
      await walkFolder(folder, options, state);
    } catch (error) {
      options.signal.throwIfAborted();
      if (folder.key === '') throw error;
      // A directory removed during the walk took its recordings with it: nothing is missing from the answer. Where it is
      // still there, one of its entries was removed, and the others were not read.
      if (!isMissing(error) || existsSync(`${options.root}/${folder.key}`)) state.unreadable.push(folder.key);
    }
  }
  return state;
}

interface WalkState {
  readonly found: Found[];
  readonly unreadable: string[];
  readonly folders: Folder[];
  names: number;
  linkedFolders: number;
  /** Links looked at. */
  links: number;
  sawServer: boolean;
  /** Names until the event loop gets its turn. */
  budget: number;
}

async function walkFolder(folder: Folder, options: WalkOptions, state: WalkState): Promise<void> {
  if (folder.depth > MAX_DEPTH) throw new Error(`deeper than ${MAX_DEPTH} directories`);
  const below = folder.key === '' ? '' : `${folder.key}/`;
  using directory = opendirSync(`${options.root}/${folder.key}`);
  state.budget -= NAMES_PER_OPENING;
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
    state.names += 1;
    state.budget -= 1;
    if (state.budget <= 0) {
      state.budget = NAMES_PER_TURN;
      await nextTurn();
      options.signal.throwIfAborted();
    }
    if (entry.isSymbolicLink()) noteLink(folder, entry.name, options, state);
    if (entry.isDirectory()) {
      noteFolder(folder, entry.name, `${below}${entry.name}`, options, state);
    } else if (isCandidate(entry) && options.wanted(entry.name, folder.underServer)) {
      const { underServer } = folder;
      state.found.push({
        key: below + entry.name,
        name: entry.name,
        underServer,
      });
    }
  }
}

function noteFolder(parent: Folder, name: string, key: string, options: WalkOptions, state: WalkState): void {
  const isYear = canBeYear(name) && isYearFolder(`${options.root}/${key}`);
  const { entered, path: date } = enter(name, parent.date, isYear, options.range);
  const isServer = name.toLowerCase() === options.server?.toLowerCase();
  state.sawServer ||= isServer;
  if (!entered) return;
  state.folders.push({ key, depth: parent.depth + 1, date, underServer: parent.underServer || isServer });
}

/** Counts a link that leads to a directory which would be entered. */
function noteLink(parent: Folder, name: string, options: WalkOptions, state: WalkState): void {
  if (!mayLeadToFolder(name) || state.links >= MAX_LINKS) return;
  if (!enter(name, parent.date, false, options.range).entered) return;
  state.links += 1;
  state.budget -= NAMES_PER_OPENING;
  if (leadsToFolder(`${options.root}/${parent.key}/${name}`)) state.linkedFolders += 1;
}
