import { contentTypeOf } from './content-type.ts';
import { nameOf } from './object-key.ts';
import { pageName } from './page-name.ts';
import type { PublishedObject } from './publisher.ts';

/** A recording as it is published: played in the browser. */
export function recordingObject(job: string, fileName: string): PublishedObject {
  return { key: `${job}/${fileName}`, fileName, contentType: contentTypeOf(fileName), disposition: 'inline' };
}

/** What is made of a recording for playing, by its key. */
export function playingObject(key: string): PublishedObject {
  const fileName = nameOf(key);
  return { key, fileName, contentType: contentTypeOf(fileName), disposition: 'inline' };
}

/** A ZIP as it is published: saved. */
export function zipObject(job: string, fileName: string): PublishedObject {
  return { key: `${job}/${fileName}`, fileName, contentType: 'application/zip', disposition: 'attachment' };
}

/** A part of the page of a result, from 1, as it is published. */
export function pageObject(job: string, part: number): PublishedObject {
  const fileName = pageName(part);
  const contentType = 'text/html; charset=utf-8';
  return { key: `${job}/${fileName}`, fileName, contentType, disposition: 'inline' };
}
