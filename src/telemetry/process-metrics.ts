import { constants, monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** CPU, memory, event loop and full collections of this process, and what it is. */
export function watchProcess(metrics: Metrics, version: string): void {
  const meter = metrics.meter('process');
  const gauge = (name: string, help: string) => meter.gauge(name, { help });
  meter
    .gauge('flamegate_build_info', { help: 'Always 1; the labels say what runs.', labels: ['version', 'node'] })
    .record(1, { version, node: process.versions.node });
  gauge('flamegate_process_start_time_seconds', 'Unix time at which the process started.').record(
    Math.round(Date.now() / 1000 - process.uptime()),
  );
  const cpu = meter.counter('flamegate_process_cpu_seconds_total', { help: 'User and system CPU time.' });
  const rss = gauge('flamegate_process_resident_memory_bytes', 'Resident memory.');
  const heap = gauge('flamegate_process_heap_used_bytes', 'JavaScript heap in use.');
  const external = gauge('flamegate_process_external_memory_bytes', 'Memory of buffers outside the heap.');
  const lag = gauge(
    'flamegate_process_event_loop_lag_p99_seconds',
    'Delay of the event loop since the last reading, 99th percentile.',
  );
  const collections = meter.counter('flamegate_process_gc_mark_compacts_total', { help: 'Full garbage collections.' });
  const pauses = meter.counter('flamegate_process_gc_mark_compact_seconds_total', {
    help: 'Time in full garbage collections.',
  });

  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  new PerformanceObserver(list => {
    for (const entry of list.getEntries() as (PerformanceEntry & { detail?: { kind?: number } })[]) {
      if (entry.detail?.kind !== constants.NODE_PERFORMANCE_GC_MAJOR) continue;
      collections.record(1);
      pauses.record(entry.duration / 1000);
    }
  }).observe({ entryTypes: ['gc'] });

  let counted = 0;
  metrics.onCollect(() => {
    const used = process.cpuUsage();
    const seconds = (used.user + used.system) / 1e6;
    cpu.record(seconds - counted);
    counted = seconds;
    const memory = process.memoryUsage();
    rss.record(memory.rss);
    heap.record(memory.heapUsed);
    external.record(memory.external);
    lag.record(delay.percentile(99) / 1e9);
    delay.reset();
  });
}
