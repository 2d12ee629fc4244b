import type { Host, NoteOwner, StageFactory } from '../../api/index.ts';
import type { ComponentPlan } from '../../config/plan.ts';
import type { Plain } from '../../model/attributes.ts';
import type { Observer } from '../observed.ts';
import { Recent } from '../outbox/disk/recent.ts';
import type { FusedStage } from './fused.ts';
import { StageMeter } from './meter.ts';

/** A planned stage, ready to be fused with its neighbours. @throws Error when its configuration cannot go to a worker */
export function stageOf(
  plan: ComponentPlan,
  pipeline: string,
  host: Host,
  observer: Observer,
  owner: NoteOwner<Plain> | undefined,
): FusedStage {
  const factory = plan.factory as StageFactory;
  const strange = uncloneable(plan.config, 'config');
  if (strange !== undefined)
    throw new Error(`stage ${plan.id}: ${strange} cannot go to a worker; its schema must give plain values`);
  return {
    id: plan.id,
    spec: { id: plan.id, module: moduleBeside(factory.home), config: plan.config },
    hides: factory.hides?.(plan.config) ?? false,
    observer,
    meter: new StageMeter(host.metrics),
    log: host.log,
    deadQueue: `stage:${pipeline}/${plan.id}`,
    noted: new Recent(),
    ...(owner && { owner }),
  };
}

/** `stage.ts` beside the factory, `stage.js` where that is what it is. */
function moduleBeside(home: string): string {
  const extension = /\.[cm]?[jt]s$/.exec(new URL(home).pathname)?.[0] ?? '.js';
  return new URL(`./stage${extension}`, home).href;
}

/** The path of the first value that structured cloning would refuse or strip of its class; undefined when there is none. */
function uncloneable(value: unknown, path: string): string | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return path;
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return undefined;
  const prototype = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return path;
  for (const [key, inner] of Object.entries(value)) {
    const found = uncloneable(inner, `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
