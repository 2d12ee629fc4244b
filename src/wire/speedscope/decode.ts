import type { Columns } from '../../model/columns/columns.ts';
import { takeRoom } from '../../model/columns/growth.ts';
import type { Losses } from '../convert/losses.ts';
import { DecodeError } from '../decode-error.ts';
import { fillWithin } from '../fill-within.ts';
import { JsonCursor } from '../json-cursor.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { ProfileReader } from './decode-profile.ts';
import { Frames } from './frames.ts';
import { joined } from './join.ts';
import { SCHEMA } from './units.ts';

/** What columns and their builder take while they are empty, about. */
const PROFILE_BYTES = 12 * 1024;

export interface SpeedscopeProfile {
  /** Of the profile in the file; '' when it has none. Of one that we wrote, the name of its source. */
  readonly name: string;
  /** As in the file: none, nanoseconds, microseconds, milliseconds, seconds or bytes. */
  readonly unit: string;
  readonly columns: Columns;
}

/**
 * The profiles of a speedscope file, in order (`file-format-schema.json` of speedscope 1.25, and the files of older versions). Members
 * may come in any order, and those that the schema does not have are passed over. Numbers are exact: time becomes nanoseconds, and what is
 * not whole then is rounded half to even and counted. A sampled profile has a sample for each weight, an evented one for each stack
 * that had time. Sample types that `encodeSpeedscope` wrote come back as one profile, with type and unit as they were.
 * @param raw JSON in UTF-8; may lie in shared memory; not needed afterwards
 * @param maxBytes what the columns of all profiles may take
 * @throws DecodeError empty_body, bad_json, bad_string, too_deep; unknown_format without the schema's name; missing_field and duplicate_field
 * for members; bad_value for a weight that is negative or beyond 64 bits, and for a type or unit that does not exist; bad_reference for a
 * frame that does not exist; bad_events where frames are not closed in the order in which they were opened, or time goes back;
 * value_count, value_overflow, too_many_elements
 */
export function decodeSpeedscope(raw: Uint8Array, losses?: Losses, maxBytes = MAX_DECODED_BYTES): SpeedscopeProfile[] {
  if (raw.length === 0) throw new DecodeError('empty_body', 'the profile is empty');
  return fillWithin(maxBytes, 0, () => {
    const { frames, profiles } = readFile(raw);
    let rounded = 0;
    for (const profile of profiles) rounded += profile.rounded;
    const kept = joined(profiles);
    for (const { builder } of kept) frames.place(builder);
    losses?.add('speedscope_rounded', rounded);
    return kept.map(({ name, unit, own, builder }) => ({ name: own?.name ?? name, unit, columns: builder.columns }));
  });
}

function readFile(raw: Uint8Array): { readonly frames: Frames; readonly profiles: ProfileReader[] } {
  const cursor = new JsonCursor(raw);
  let isSpeedscope = false;
  let frames: Frames | undefined;
  let profiles: ProfileReader[] | undefined;
  const once = (before: unknown) => {
    if (before !== undefined) throw new DecodeError('duplicate_field', 'a member of the file comes twice');
  };
  cursor.object(member => {
    switch (member) {
      case '$schema':
        isSpeedscope = cursor.isString() && cursor.string() === SCHEMA;
        if (!isSpeedscope) throw notSpeedscope();
        return;
      case 'shared':
        cursor.object(shared => {
          if (shared !== 'frames') {
            cursor.skip();
            return;
          }
          once(frames);
          frames = new Frames();
          frames.read(cursor);
        });
        return;
      case 'profiles':
        once(profiles);
        profiles = readProfiles(cursor, raw);
        return;
      default:
        cursor.skip();
    }
  });
  cursor.finish();
  if (!isSpeedscope) throw notSpeedscope();
  if (!frames) throw new DecodeError('missing_field', 'the file has no frames');
  if (!profiles) throw new DecodeError('missing_field', 'the file has no profiles');
  return { frames, profiles };
}

function readProfiles(cursor: JsonCursor, raw: Uint8Array): ProfileReader[] {
  const profiles: ProfileReader[] = [];
  cursor.list(() => {
    takeRoom(PROFILE_BYTES);
    const profile = new ProfileReader(raw);
    profile.read(cursor);
    profiles.push(profile);
  });
  return profiles;
}

const notSpeedscope = () => new DecodeError('unknown_format', 'the file does not name the schema of speedscope');
