// A merged, expanded tree → Plan. Everything that is wrong is found in one go.
import type { Factory } from '../api/index.ts';
import { collectorHint, sectionHint } from './collector.ts';
import { Components, type Defined, SECTIONS } from './components.ts';
import type { Findings } from './finding.ts';
import { didYouMean } from './nearest.ts';
import type { ComponentPlan, Plan, Section } from './plan.ts';
import { loadPlugins } from './plugins.ts';
import { checkReferences, type References } from './references.ts';
import { type ServiceConfig, service } from './service.ts';
import type { Place } from './source.ts';
import { isNull, type Mapping, type Node } from './tree.ts';
import { validate } from './validate.ts';

const TOP = [...SECTIONS, 'plugins', 'service'];

export interface Checked {
  /** Undefined when there are errors. */
  readonly plan: Plan | undefined;
  /** Those that were given, and those of plugins. */
  readonly factories: readonly Factory[];
}

export async function check(
  root: Mapping,
  builtIn: readonly Factory[],
  findings: Findings,
  readings: Map<Node, 'text' | 'absent'>,
): Promise<Checked> {
  const factories = [...builtIn, ...(await loadPlugins(root.entries.get('plugins'), builtIn, findings))];
  return { plan: await checkPlan(root, factories, findings, readings), factories };
}

async function checkPlan(
  root: Mapping,
  factories: readonly Factory[],
  findings: Findings,
  readings: Map<Node, 'text' | 'absent'>,
): Promise<Plan | undefined> {
  for (const [key, entry] of root.entries)
    if (!TOP.includes(key)) {
      const hint = sectionHint(key) ?? didYouMean(key, TOP) ?? `known keys: ${TOP.join(', ')}`;
      findings.error(entry.key, `unknown key \`${key}\``, hint);
    }
  const components = new Components(factories, findings, readings);
  const defined: Defined[] = [];
  for (const section of SECTIONS) defined.push(...(await components.section(section, root.entries.get(section))));
  const settings = await checkService(root, findings, readings);
  const references = checkReferences(
    root.entries.get('service')?.value,
    { defined, unread: components.unread },
    findings,
  );
  if (findings.failed || !settings) return undefined;
  return {
    components: planComponents(references),
    pipelines: references.pipelines,
    extensions: references.extensions,
    telemetry: settings.telemetry,
    workers: workersOf(settings),
    drainTimeoutMs: settings.drain_timeout,
    warnings: findings.list(),
  };
}

function workersOf({ workers }: ServiceConfig): Plan['workers'] {
  const { threads, task_timeout: taskTimeoutMs, thread_memory: memoryBytes, queue_size: queueBytes } = workers;
  return { threads, taskTimeoutMs, memoryBytes, queueBytes };
}

async function checkService(
  root: Mapping,
  findings: Findings,
  readings: Map<Node, 'text' | 'absent'>,
): Promise<ServiceConfig | undefined> {
  const entry = root.entries.get('service');
  const at: Place = entry?.key ?? root.at;
  const pipelines = entry?.value.kind === 'mapping' ? entry.value.entries.get('pipelines') : undefined;
  const none = pipelines?.value.kind === 'mapping' ? pipelines.value.entries.size === 0 : isNull(pipelines?.value);
  if (!entry || isNull(entry.value) || none || (entry.value.kind === 'mapping' && !pipelines)) {
    const hint = 'write service: {pipelines: {profiles: {receivers: […], exporters: […]}}}';
    findings.error(pipelines?.key ?? at, 'there is no pipeline', hint);
    return undefined;
  }
  const hint = (key: string, parent: readonly (string | number)[]) =>
    collectorHint(key, String(parent.at(-1) ?? 'service'));
  return (await validate({ schema: service, node: entry.value, path: ['service'], at, hint }, findings, readings))
    ?.value;
}

function planComponents({ used }: References): Plan['components'] {
  const components: Record<Section, Map<string, ComponentPlan>> = {
    receivers: new Map(),
    processors: new Map(),
    exporters: new Map(),
    connectors: new Map(),
    extensions: new Map(),
  };
  for (const [{ id, plan }, section] of used) if (plan) components[section].set(id, plan);
  return components;
}
