import type { LossEntry } from './loss-entry.ts';

/** What is lost as other forms are read and written. */
export const FORM_LOSSES = {
  v8_node_detail: {
    from: 'v8',
    to: 'any',
    item: 'node',
    sentence: 'Ticks per line of a function, and why it was deoptimised.',
  },
  perf_event_text: {
    from: 'perf',
    to: 'any',
    item: 'line',
    sentence: 'The fields of a tracepoint, branch stacks, and other text of `perf script` beside stack and period.',
  },
  legacy_comment: {
    from: 'legacy',
    to: 'any',
    item: 'line',
    sentence:
      'Comments that are no symbols and no labels, such as memory statistics, and how many samples were discarded.',
  },
  legacy_thread_name: {
    from: 'legacy',
    to: 'any',
    item: 'thread',
    sentence: 'The name and id of a thread: threads of one stack are one sample.',
  },
  jfr_no_stack: {
    from: 'jfr',
    to: 'any',
    item: 'event',
    sentence: 'A sample without a stack trace, or with one that the recording does not have.',
  },
  jfr_truncated: {
    from: 'jfr',
    to: 'any',
    item: 'event',
    sentence: 'That a stack was cut at the depth the profiler was set to.',
  },
  jfr_frame: {
    from: 'jfr',
    to: 'any',
    item: 'frame',
    sentence: 'A frame whose method the recording does not describe.',
  },
  jfr_event_unused: {
    from: 'jfr',
    to: 'any',
    item: 'event',
    sentence:
      'A sample of a kind that Pyroscope has no profile for, such as native methods, old objects or `jdk.CPUTimeSample` of JDK 25, or of a thread that sleeps.',
  },
  jfr_context: {
    from: 'jfr',
    to: 'any',
    item: 'context',
    sentence: 'A context that events name and the labels beside the recording do not have.',
  },
  jfr_label: {
    from: 'jfr',
    to: 'any',
    item: 'label',
    sentence: 'A label whose name or value is empty, or is not among the labels beside the recording.',
  },
  folded_bad_line: {
    from: 'folded',
    to: 'any',
    item: 'line',
    sentence: 'A line that is no stack and value, where such lines are not refused.',
  },
  folded_sample_type: {
    from: 'any',
    to: 'folded',
    item: 'sample type',
    sentence: 'Sample types other than the one that a text is of.',
  },
  folded_negative: {
    from: 'any',
    to: 'folded',
    item: 'sample',
    sentence:
      'A sample whose value is negative, since readers refuse it; and one whose value is 0, where each occurrence is a line.',
  },
  folded_frame_text: {
    from: 'any',
    to: 'folded',
    item: 'sample',
    sentence:
      'How a frame is spelt: `;` becomes a bar, control characters become their pictures, what is not UTF-8 becomes U+FFFD, and what looks like a comment or like labels gets a space. Also that a stack is one frame without a name; and where each occurrence is a line, no stack is the frame `[no stack]`.',
  },
  folded_symbol: {
    from: 'any',
    to: 'folded',
    item: 'location',
    sentence:
      'What a location says beside the name of a function: address, mapping, file, line, and which calls were inlined. Also locations that no written sample leads to.',
  },
  folded_labels: {
    from: 'any',
    to: 'folded',
    item: 'label',
    sentence: 'Labels of samples, where they are not written; and those whose name the syntax cannot say.',
  },
  folded_label_value: {
    from: 'any',
    to: 'folded',
    item: 'label',
    sentence:
      'That the value of a label is a number and in which unit, or is neither text nor number: it becomes text. Control characters become their pictures, what is not UTF-8 becomes U+FFFD.',
  },
  folded_profile_field: {
    from: 'any',
    to: 'folded',
    item: 'profile',
    sentence:
      'Time, duration, period, comments, patterns of frames, the default sample type, and fields that the schema of pprof does not have.',
  },
  speedscope_rounded: {
    from: 'speedscope',
    to: 'any',
    item: 'sample',
    sentence: 'The part of a weight that is no whole nanosecond, or of one without unit or in bytes, no whole number.',
  },
  speedscope_negative: {
    from: 'any',
    to: 'speedscope',
    item: 'sample',
    sentence: 'A value below 0, which speedscope refuses: it becomes 0.',
  },
  speedscope_no_type: {
    from: 'any',
    to: 'speedscope',
    item: 'sample',
    sentence: 'Samples of a profile without a sample type, which have no value.',
  },
  speedscope_labels: {
    from: 'any',
    to: 'speedscope',
    item: 'label',
    sentence: 'Labels of samples.',
  },
  speedscope_symbol: {
    from: 'any',
    to: 'speedscope',
    item: 'location',
    sentence:
      'What a location says beside name, file, line and column of its functions: address, mapping, system name, start line, and which calls were inlined into it; and a location that no sample leads to.',
  },
  speedscope_profile_field: {
    from: 'any',
    to: 'speedscope',
    item: 'profile',
    sentence:
      'Time, duration, period, comments, the default sample type (it is shown first) and patterns of frames of a profile, and fields that nobody knows.',
  },
} as const satisfies Record<string, LossEntry>;
