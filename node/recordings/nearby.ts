import type { ParsedName } from './name.ts';
import type { NearbyExtension, NearbyRecording, RecordingQuery } from './source.ts';

/** Finds, of all the names it is told, each extension's nearest before and after a range. Holds no others. */
export interface NearestNames {
  /** `underServer`: a directory on the way down is called as the query's server. */
  note(name: ParsedName, underServer: boolean): void;
  /** Whether a directory is called as the query's server, wherever. */
  result(sawServer: boolean): readonly NearbyExtension[];
}

interface Nearest {
  before: NearbyRecording | null;
  after: NearbyRecording | null;
}

/** As `narrow`: those of the query's server, where anything tells servers apart, else all. */
export function gatherNearest({ extensions, start, end, server }: RecordingQuery): NearestNames {
  const ofAll = new Map<string, Nearest>();
  const ofServer = new Map<string, Nearest>();
  for (const nearest of [ofAll, ofServer])
    for (const extension of extensions) nearest.set(extension, { before: null, after: null });

  return {
    note: (name, underServer) => {
      for (const number of new Set([name.origin, name.destination])) {
        noteIn(ofAll.get(number), name, start, end);
        if (underServer || isOfSystem(name, server)) noteIn(ofServer.get(number), name, start, end);
      }
    },
    result: (sawServer) => {
      const toldApart = server !== null && (sawServer || ofServer.values().some(isAny));
      const nearest = toldApart ? ofServer : ofAll;
      return extensions.map((extension) => ({
        ...{ extension, before: null, after: null },
        ...nearest.get(extension),
      }));
    },
  };
}

/** Whether the system's name in a recording's name is the server's. */
export function isOfSystem({ system }: Pick<ParsedName, 'system'>, server: string | null): boolean {
  return server !== null && system?.toLowerCase() === server.toLowerCase();
}

/** What a name says of a recording that lies near. */
export function nearbyOf({ startedAt, origin, destination }: NearbyRecording): NearbyRecording {
  return { startedAt, origin, destination };
}

function noteIn(nearest: Nearest | undefined, name: ParsedName, start: string, end: string): void {
  if (nearest === undefined) return;
  const { startedAt } = name;
  if (startedAt < start && (nearest.before === null || startedAt > nearest.before.startedAt))
    nearest.before = nearbyOf(name);
  if (startedAt > end && (nearest.after === null || startedAt < nearest.after.startedAt))
    nearest.after = nearbyOf(name);
}

function isAny({ before, after }: Nearest): boolean {
  return before !== null || after !== null;
}
