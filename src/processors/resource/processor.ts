import type { Attributes, Consumer, Plain, Profile, ProfileBatch, Result } from '../../api/index.ts';
import { keyIn } from '../../model/attributes.ts';
import type { Config } from './config.ts';

/** Edits envelopes; payloads pass untouched and shared. */
export class ResourceProcessor implements Consumer<'profiles'> {
  readonly #actions: Config['attributes'];
  readonly #next: Consumer<'profiles'>;

  constructor(config: Config, next: Consumer<'profiles'>) {
    this.#actions = config.attributes;
    this.#next = next;
  }

  consume(batch: ProfileBatch, abort: AbortSignal): Promise<Result> {
    let profiles: Profile[] | undefined;
    for (let at = 0; at < batch.profiles.length; at++) {
      const profile = batch.profiles[at]!;
      const attributes = this.#apply(profile.attributes);
      if (attributes === profile.attributes) continue;
      profiles ??= [...batch.profiles];
      profiles[at] = { ...profile, attributes };
    }
    return this.#next.consume(profiles ? { ...batch, profiles } : batch, abort);
  }

  /** The same map when nothing changes. */
  #apply(attributes: Attributes): Attributes {
    let changed: Map<string, Plain> | undefined;
    for (const { key, value, action } of this.#actions) {
      const now = changed ?? attributes;
      const held = keyIn(now, key);
      if (action === 'delete') {
        if (held === undefined) continue;
        changed ??= new Map(attributes);
        changed.delete(held);
      } else {
        if (action === (held === undefined ? 'update' : 'insert')) continue;
        if (held !== undefined && now.get(held) === value) continue;
        changed ??= new Map(attributes);
        changed.set(held ?? key, value!);
      }
    }
    return changed ?? attributes;
  }
}
