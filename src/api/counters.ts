// Counters that more than one component keeps: one name, one sentence, one set of labels.
import type { Instrument, Meter } from './host.ts';

/** Labels: reason. */
export const dropped = (meter: Meter): Instrument =>
  meter.counter('flamegate_dropped_profiles_total', {
    help: 'Profiles (and requests of traces) that went no further, by reason.',
    labels: ['reason'],
  });

/** Labels: protocol, reason. */
export const rejected = (meter: Meter): Instrument =>
  meter.counter('flamegate_rejected_requests_total', {
    help: 'Requests that were not taken, by door and reason.',
    labels: ['protocol', 'reason'],
  });

/** Labels: reason, of the table `LOSSES`. */
export const losses = (meter: Meter): Instrument =>
  meter.counter('flamegate_conversion_losses_total', {
    help: 'What a form could not carry when a profile was converted, by reason (docs/fidelity.md).',
    labels: ['reason'],
  });
